"""``epf tune``: a profile of the models, learned from problems with known answers."""

from collections.abc import Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import click

from epf.cli.command import Command
from epf.cli.models import announced_models, model_options, named_models
from epf.core.errors import InvalidRequest
from epf.problem_sets.columns import parse_columns


@click.command(
    "tune",
    cls=Command,
    examples=(
        "epf tune --dataset problems.jsonl --generator http://localhost:8001 --reward-model http://localhost:8002",
        "epf tune --dataset gsm8k --limit 300 --budget-minutes 60 --dry-run",
        "EPF_PROFILE=mine.profile.json epf serve",
    ),
)
@click.option(
    "--dataset",
    required=True,
    metavar="SET",
    help="Problems with answers, as in epf eval; at least 30 like those that you will ask, and some hundred are better.",
)
@click.option(
    "--columns",
    type=parse_columns,
    metavar="MAP",
    help="Columns of a file or of a set on the hub, where they have other names: problem=Prompt,answer=Target,id=Key.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of problems, from the first of the set. Without it, all.",
)
@click.option(
    "--budget-minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="X",
    help="About how long to search.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    metavar="N",
    help="Maximum number of searches that run at the same time.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of the profile. Without it, a file in the current directory that is named after both models.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change and why, and write nothing.")
@model_options()
@click.pass_context
def tune(
    context: click.Context,
    /,
    dataset: str,
    columns: Mapping[str, str] | None,
    limit: int | None,
    budget_minutes: float,
    concurrency: int,
    out: Path | None,
    dry_run: bool,
    **references: Any,
) -> int:
    """Learn from problems with answers how epf searches best with your models.

    Compares ways to weigh scores, to anneal, to look ahead, to vote and to size the search, and confirms the best one on
    problems that did not choose it. The profile keeps the defaults if nothing is better. EPF_PROFILE or --profile applies it.
    """
    from epf.cli.settings import read_settings
    from epf.cli.tuning import Asked, run
    from epf.problem_sets.registry import load_problems

    if not isfinite(budget_minutes):
        raise InvalidRequest(f"budget_minutes must be a finite number, got {budget_minutes}.", param="budget_minutes")
    settings = read_settings(**named_models(**references))
    if not settings.has_reward_model:
        message = "A profile is about the scores of a reward model, which is missing: name one with --reward-model"
        raise InvalidRequest(f"{message} or EPF_REWARD_MODEL.", param="reward_model")
    problems = load_problems(dataset, limit, columns or {})
    asked = Asked(dataset, problems, 60 * budget_minutes, concurrency, out, dry_run)
    return run(asked, settings, context.obj or partial(announced_models, settings))
