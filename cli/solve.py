"""``epf solve``: one problem with a view of its search, or a file of them."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from json import dumps

from rich.console import Console

from epf.cli.options import search_config
from epf.cli.problems import Problem, read_problems
from epf.cli.progress import progress
from epf.cli.view import multiline, printable, summary
from epf.core.errors import InvalidRequest, SearchServiceError
from epf.search import SearchConfig, asolve, stream
from epf.search.events import Answered
from epf.search.result import SearchResult
from epf.service.searches.models import Models
from epf.service.solve.schemas import ErrorDetail, SolveResult

LoadModels = Callable[[], AbstractAsyncContextManager[Models]]


def run(arguments: argparse.Namespace, load_models: LoadModels) -> int:
    """Solve what the arguments name and return the exit code."""
    if (arguments.problem is None) == (arguments.file is None):
        raise InvalidRequest("Give one problem in quotes, - to read it from standard input, or --file.", param="problem")
    config = search_config(arguments)
    if arguments.file is not None:
        problems = read_problems(arguments.file)
        return asyncio.run(_solve_file(problems, arguments, config, load_models))
    problem = sys.stdin.read() if arguments.problem == "-" else arguments.problem
    if not problem.strip():
        raise InvalidRequest("The problem is empty: write it in quotes after `epf solve`.", param="problem")
    return asyncio.run(_solve_one(problem, arguments, config, load_models))


async def _solve_one(problem: str, arguments: argparse.Namespace, config: SearchConfig, load_models: LoadModels) -> int:
    async with load_models() as models:
        with progress(sys.stderr if arguments.json else sys.stdout) as tell:
            async for event in stream(
                problem,
                method=arguments.method,
                config=config,
                generator=models.generator,
                reward_model=models.reward_model,
                checker=models.checker,
            ):
                tell(event)
                if isinstance(event, Answered):
                    result = event.result
    if arguments.json:
        print(SolveResult.of(result).model_dump_json(exclude_unset=True), flush=True)
    else:
        _print_solution(result)
    return 0


def _print_solution(result: SearchResult) -> None:
    console = Console(file=sys.stdout)
    print(f"\n{multiline(result.solution)}\n")
    if console.is_terminal:
        console.print(summary(result))
    else:
        print(summary(result).plain, flush=True)


async def _solve_file(
    problems: list[Problem], arguments: argparse.Namespace, config: SearchConfig, load_models: LoadModels
) -> int:
    """Solve the rows, ``--concurrency`` at a time, and print each once all rows before it are printed."""
    gate = asyncio.Semaphore(arguments.concurrency)
    n_done = n_failed = 0

    async def outcome(problem: Problem, models: Models) -> str:
        nonlocal n_done, n_failed
        async with gate:
            try:
                result = await asolve(
                    problem.text,
                    method=arguments.method,
                    config=config,
                    generator=models.generator,
                    reward_model=models.reward_model,
                    checker=models.checker,
                )
                line = _result_line(problem, result, json=arguments.json)
            except SearchServiceError as error:
                n_failed += 1
                line = _error_line(problem, error, json=arguments.json)
        n_done += 1
        print(f"{n_done}/{len(problems)} done (row {problem.row})", file=sys.stderr, flush=True)
        return line

    async with load_models() as models:
        tasks = [asyncio.create_task(outcome(problem, models)) for problem in problems]
        try:
            for task in tasks:
                print(await task, flush=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return 1 if n_failed else 0


def _result_line(problem: Problem, result: SearchResult, *, json: bool) -> str:
    if json:
        response = SolveResult.of(result).model_dump(mode="json", exclude_unset=True)
        return dumps({"row": problem.row, "problem": problem.text, **response}, allow_nan=False)
    return f"row {problem.row}: {summary(result).plain}"


def _error_line(problem: Problem, error: SearchServiceError, *, json: bool) -> str:
    if json:
        detail = ErrorDetail(message=error.message, type=error.type, param=error.param, code=error.code)
        return dumps({"row": problem.row, "problem": problem.text, "error": detail.model_dump()})
    return f"row {problem.row}: failed: {printable(error.message)}"
