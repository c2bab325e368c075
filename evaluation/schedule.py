"""Distributes tasks to searchers: first those that run alone, then many at the same time, whole groups to one searcher."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, groupby

from epf.core.errors import GeneratorError
from epf.evaluation.plan import Key, Plan, Task
from epf.evaluation.rows import Row
from epf.evaluation.worker import Searcher

FAILURES_IN_A_ROW = 20
"""After this many retryable failures in a row, a model is taken to be unavailable and the run stops."""


async def run_tasks(
    plan: Plan, searchers: Sequence[Searcher], *, concurrency: int, done: Collection[Key], emit: Callable[[Row], None]
) -> None:
    """Run the searches that are not ``done``, at most ``concurrency`` at a time on each searcher.

    ``emit`` gets each row when its search ends. A searcher takes whole groups, because their searches share draws. Cancelling
    the call cancels all searches.

    Raises:
        InvalidRequest: a method cannot search with these models.
        GeneratorError: too many searches in a row failed. The rows that were emitted stay valid.
    """
    emit = _stops_after_failures(emit)
    for _, tasks in groupby((task for task in plan.alone() if task.key not in done), key=lambda task: task.problem):
        for i, task in enumerate(tasks):
            if i == 0:  # discarded: the first search of a problem also pays for reading its prompt
                await searchers[0].run(task)
            emit(await searchers[0].run(task))

    async def drain(searcher: Searcher, tasks: Iterator[Task]) -> None:
        for task in tasks:
            if task.key not in done:
                emit(await searcher.run(task))

    groups = plan.groups()
    try:
        async with asyncio.TaskGroup() as group:
            for searcher in searchers:
                tasks = chain.from_iterable(groups)
                for _ in range(concurrency):
                    group.create_task(drain(searcher, tasks))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _stops_after_failures(emit: Callable[[Row], None]) -> Callable[[Row], None]:
    """Wrap ``emit`` so that it raises after too many failures in a row."""
    in_a_row = 0

    def checked(row: Row) -> None:
        nonlocal in_a_row
        emit(row)
        in_a_row = 0 if row.final else in_a_row + 1
        if in_a_row >= FAILURES_IN_A_ROW and row.error is not None:
            raise GeneratorError(f"{in_a_row} searches in a row failed. The last error: {row.error.message}")

    return checked
