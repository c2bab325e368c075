"""``epf score``: the reward model's score after every step of a solution, or of every solution of a file."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from epf.cli.command import Command
from epf.cli.loading import notice
from epf.cli.models import FAMILY, GENERATOR, REWARD_MODEL, SCORING_TOKENIZER, model_options, scoring_models
from epf.cli.solutions import Solution, read_solutions, steps_of
from epf.core.errors import InvalidRequest


@click.command(
    cls=Command,
    examples=(
        r'epf score "There are 45 birds on a wire. 17 fly away. How many are left?" "45 - 17 = 28." "So \boxed{28}."',
        'epf score --reward-model http://localhost:8002 "What is 2 + 3?" - < solution.txt',
        "epf score --reward-model http://localhost:11434 --family judge --json --file answers.jsonl",
    ),
)
@click.argument("texts", nargs=-1, metavar="[PROBLEM STEP...]")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Score every row of this file (JSON Lines, JSON, CSV, Parquet), which has `problem` or `question`, and a list `steps` "
    "or a text `solution`; such as the output of epf solve --json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per solution.")
@model_options(GENERATOR, REWARD_MODEL, FAMILY, SCORING_TOKENIZER)
def score(
    texts: tuple[str, ...],
    file: Path | None,
    as_json: bool,
    generator: str | None,
    reward_model: tuple[str, ...],
    family: str | None,
    tokenizer: str | None,
) -> int:
    """Score the steps of a solution: the probability after each step that all steps so far are right.

    Write PROBLEM and each STEP in quotes, or - for steps from standard input. A blank line within a text separates steps, too.
    The reward model is that of `epf serve`. No generator is loaded: it matters only for the default of the reward model.
    """
    if bool(texts) == (file is not None):
        raise InvalidRequest("Give a problem and its steps in quotes, or --file.", param="problem")
    if file is None and len(texts) < 2:
        raise InvalidRequest("Give at least one step after the problem, each in quotes, or - to read them.", param="steps")
    if file is None and texts.count("-") > 1:
        raise InvalidRequest("- stands for standard input, which can be read once.", param="steps")
    solutions = [] if file is None else read_solutions(file)
    if file is None:
        problem, *steps = (sys.stdin.read() if text == "-" else text for text in texts)
        solutions = [Solution(0, problem, steps_of(steps, where="The solution"))]
        if not problem.strip():
            raise InvalidRequest("The problem is empty. Write it in quotes after `epf score`.", param="problem")
    with ExitStack() as notices:
        notices.enter_context(notice("loading the reward model"))
        from epf.cli.scoring import score_solutions
        from epf.cli.settings import read_settings

        settings = read_settings(**scoring_models(generator, reward_model, family, tokenizer))
        return score_solutions(solutions, settings, notices, as_json=as_json, one=file is None)
