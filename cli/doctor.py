"""``epf doctor``: what works of the models that a user names, and what to do about the rest."""

import asyncio
import sys
from typing import Any

import click

from epf.cli.command import Command
from epf.cli.models import model_options, named_models


@click.command(
    cls=Command,
    examples=(
        "epf doctor",
        "epf doctor --generator http://localhost:8001",
        "epf doctor --generator http://localhost:8001 --reward-model http://localhost:8002 --json",
    ),
)
@model_options()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object for each check and one for all together.")
def doctor(as_json: bool, **references: Any) -> int:
    """Check the generator, the reward model and their servers: one line for each check, with what to do.

    The checks cost about a thousand tokens. The exit code is 1 if a check failed.
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
