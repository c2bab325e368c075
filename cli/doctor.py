"""``epf doctor``: what works of the models that the settings name, and what to do about the rest."""

import asyncio
import sys

import click

from epf.cli.command import Command
from epf.cli.models import model_options, named_models


@click.command(
    cls=Command,
    examples=("epf doctor", "epf doctor --generator http://localhost:8001 --json"),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per check and one with the totals.")
@model_options()
def doctor(as_json: bool, **references: str | None) -> int:
    """Check the generator and the reward model, one line for each check, with what to do.

    Without options, the models are those of the settings.
    """
    from epf.cli.examining import examine
    from epf.cli.loading import exits_on_interrupt
    from epf.cli.settings import read_settings
    from epf.diagnosis.doctor import Doctor
    from epf.reward_models.registry import RewardModelOptions

    settings = read_settings(**named_models(**references))
    reward_model = settings.models.reward_model
    assert isinstance(reward_model, RewardModelOptions)
    with exits_on_interrupt():
        return asyncio.run(examine(Doctor(settings.generator, reward_model), sys.stdout, as_json=as_json))
