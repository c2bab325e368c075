"""``epf solve``: one problem with a view of its search, or a file of them."""

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from epf.cli.command import Command, escaped, field_options, given_options
from epf.cli.loading import notice
from epf.cli.models import ALL, PROFILE, model_options, named_models
from epf.cli.problems import read_problems
from epf.core.errors import InvalidRequest
from epf.search.options import SearchOptions


@click.command(
    cls=Command,
    params=field_options(SearchOptions, heading="Search options", text=escaped),
    examples=(
        'epf solve "There are 45 birds on a wire. 17 fly away. How many are left?"',
        'epf solve --json --n-particles 16 --seed 1 "What is 17 * 24?"',
        'epf solve --json --logprobs --top-logprobs 5 "What is 17 * 24?" > traces.json',
        "epf solve --json --file problems.jsonl > answers.jsonl",
        "epf solve --generator http://localhost:8001 - < problem.txt",
    ),
)
@click.argument("words", nargs=-1, metavar="[PROBLEM]")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Solve every row of this file (JSON Lines, JSON, CSV, Parquet), which has `problem` or `question`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output and the search on standard error.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="Maximum number of rows of --file that are solved at the same time.",
)
@model_options(*ALL, PROFILE)
@click.pass_context
def solve(
    context: click.Context,
    /,
    words: tuple[str, ...],
    file: Path | None,
    as_json: bool,
    concurrency: int,
    generator: str | None,
    reward_model: tuple[str, ...],
    family: str | None,
    tokenizer: str | None,
    examples: str | None,
    profile: str | None,
    **_: Any,
) -> int:
    """Solve PROBLEM, or every problem of a file.

    Put PROBLEM in quotes, or write - to read it from standard input. The models and the defaults of the search options are
    those of `epf serve`: set EPF_GENERATOR, EPF_REWARD_MODEL, EPF_SEARCH__N_PARTICLES and so on.
    """
    if len(words) > 1:
        quoted = f"epf solve {shlex.quote(' '.join(words))}"
        raise InvalidRequest(f"PROBLEM must be one argument, but is {len(words)} words. Quote it: {quoted}", param="problem")
    if bool(words) == (file is not None):
        raise InvalidRequest("Give one problem in quotes, - to read it from standard input, or --file.", param="problem")
    rows = [] if file is None else read_problems(file)
    problem = "" if file is not None else sys.stdin.read() if words[0] == "-" else words[0]
    if file is None and not problem.strip():
        raise InvalidRequest("The problem is empty. Write it in quotes after `epf solve`.", param="problem")
    with ExitStack() as notices:
        notices.enter_context(notice("loading the models"))
        import asyncio

        given = given_options(context, SearchOptions)
        if given.get("logprobs") and not as_json:
            raise InvalidRequest(
                "--logprobs adds tokens to the JSON of a result. Add --json or leave it out.", param="logprobs"
            )
        from epf.cli.solving import prepare, solve_file, solve_problem
        from epf.service.operations.telemetry import telemetry

        named = named_models(generator, reward_model, family, tokenizer, examples, profile=profile)
        options, models = prepare(given, named, context.obj, notices)
        with telemetry():
            if file is None:
                return asyncio.run(solve_problem(problem, options, models, as_json=as_json))
            return asyncio.run(solve_file(rows, options, models, as_json=as_json, concurrency=concurrency))
