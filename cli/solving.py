"""The searches of ``epf solve``: what they print, and where."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import partial
from json import dumps
from typing import Any

from rich.console import Console

from epf.cli.loading import loaded
from epf.cli.models import announced_models
from epf.cli.ordered import print_in_order
from epf.cli.problems import ProblemRow
from epf.cli.progress import progress
from epf.cli.settings import read_settings
from epf.cli.view import multiline, printable, summary, warning_lines
from epf.core.errors import SearchServiceError
from epf.evaluation.worker import LoadModels, Models
from epf.search import SearchOptions, asolve, stream
from epf.search.events import Answered
from epf.search.methods import METHODS
from epf.search.result import SearchResult
from epf.search.runner import check_scored, with_defaults
from epf.service.http.schemas import ErrorDetail
from epf.service.solve.schemas import SolveResult

OpenModels = AbstractAsyncContextManager[Models]


def prepare(
    given: Mapping[str, Any], named: Mapping[str, Any], load_models: LoadModels | None, notices: ExitStack
) -> tuple[SearchOptions, OpenModels]:
    """The options and the models that the command line and the settings ask for; the command line wins.

    Args:
        given: search options of the command line.
        named: models of the command line.
        load_models: opens the models; by default those of the settings.
        notices: is closed when the models are loaded.

    Raises:
        InvalidRequest: a setting or an option is not valid.
    """
    settings = read_settings(**named)
    options = with_defaults(given, settings.search, has_reward_model=settings.has_reward_model, profile=settings.learned)
    check_scored(METHODS[options.method], settings.has_reward_model)
    return options, loaded(load_models or partial(announced_models, settings), notices)


async def solve_problem(problem: str, options: SearchOptions, models: OpenModels, *, as_json: bool) -> int:
    """Show one search and print its result; the exit code."""
    async with models as found:
        with progress(sys.stderr if as_json else sys.stdout) as show:
            async for event in stream(
                problem,
                options=options,
                generator=found.generator,
                reward_model=found.reward_model,
                checker=found.checker,
                confidence=found.confidence,
            ):
                show(event)
                if isinstance(event, Answered):
                    result = event.result
    if as_json:
        print(SolveResult.of(result).model_dump_json(exclude_unset=True), flush=True)
    else:
        _print_solution(result)
    return 0


def _print_solution(result: SearchResult) -> None:
    console = Console(file=sys.stdout)
    print(f"\n{multiline(result.solution)}\n")
    if console.is_terminal:
        console.print(summary(result), soft_wrap=True)
        for line in warning_lines(result):
            console.print(line)
    else:
        print(*(line.plain for line in (summary(result), *warning_lines(result))), sep="\n", flush=True)


async def solve_file(
    rows: Sequence[ProblemRow], options: SearchOptions, models: OpenModels, *, as_json: bool, concurrency: int
) -> int:
    """Solve at most ``concurrency`` rows at the same time and print the results in the order of the rows; the exit code."""
    limit = asyncio.Semaphore(concurrency)
    n_done = n_failed = 0

    async def line(row: ProblemRow, found: Models) -> str:
        nonlocal n_done, n_failed
        async with limit:
            try:
                result = await asolve(
                    row.text,
                    options=options,
                    generator=found.generator,
                    reward_model=found.reward_model,
                    checker=found.checker,
                    confidence=found.confidence,
                )
                written = _result_line(row, result, as_json=as_json)
            except SearchServiceError as error:
                n_failed += 1
                written = _error_line(row, error, as_json=as_json)
        n_done += 1
        print(f"{n_done}/{len(rows)} done (row {row.row})", file=sys.stderr, flush=True)
        return written

    async with models as found:
        await print_in_order(line(row, found) for row in rows)
    return 1 if n_failed else 0


def _result_line(row: ProblemRow, result: SearchResult, *, as_json: bool) -> str:
    if as_json:
        response = SolveResult.of(result).model_dump(mode="json", exclude_unset=True)
        return dumps({"row": row.row, "problem": row.text, **response}, allow_nan=False)
    codes = ", ".join(warning.code for warning in result.warnings)
    return f"row {row.row}: {summary(result).plain}{codes and f', warnings: {codes}'}"


def _error_line(row: ProblemRow, error: SearchServiceError, *, as_json: bool) -> str:
    if as_json:
        detail = ErrorDetail(message=error.message, type=error.type, param=error.param, code=error.code)
        return dumps({"row": row.row, "problem": row.text, "error": detail.model_dump()})
    return f"row {row.row}: failed: {printable(error.message)}"
