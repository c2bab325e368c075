"""Brings tasks to searchers: first those that run alone, then many at a time, whole groups to one searcher."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, groupby

from epf.core.errors import GeneratorError
from epf.evaluation.plan import Key, Plan, Task
from epf.evaluation.rows import Row
from epf.evaluation.worker import Searcher

FAILURES_IN_A_ROW = 20
"""So many searches that failed one after the other, though they might succeed another time, say that a model is gone."""


async def run_tasks(
    plan: Plan, searchers: Sequence[Searcher], *, concurrency: int, done: Collection[Key], emit: Callable[[Row], None]
) -> None:
    """Run what is not ``done``, ``concurrency`` searches at a time on each searcher; ``emit`` gets each row as it ends.

    A searcher takes whole groups, since their searches share draws. Cancelling the call cancels all searches.

    Raises:
        InvalidRequest: a method cannot search with these models at all.
        GeneratorError: nothing works any more; rows that were emitted stay good.
    """
    tell = _stops_when_nothing_works(emit)
    for _, tasks in groupby((task for task in plan.alone() if task.key not in done), key=lambda task: task.problem):
        for i, task in enumerate(tasks):
            if i == 0:  # thrown away: whoever is first to ask about a problem has its prompt read
                await searchers[0].run(task)
            tell(await searchers[0].run(task))

    async def drain(searcher: Searcher, tasks: Iterator[Task]) -> None:
        for task in tasks:
            if task.key not in done:
                tell(await searcher.run(task))

    groups = plan.groups()
    try:
        async with asyncio.TaskGroup() as lanes:
            for searcher in searchers:
                tasks = chain.from_iterable(groups)
                for _ in range(concurrency):
                    lanes.create_task(drain(searcher, tasks))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _stops_when_nothing_works(emit: Callable[[Row], None]) -> Callable[[Row], None]:
    """``emit``, which raises after too many failures in a row."""
    in_a_row = 0

    def tell(row: Row) -> None:
        nonlocal in_a_row
        emit(row)
        in_a_row = 0 if row.final else in_a_row + 1
        if in_a_row >= FAILURES_IN_A_ROW and row.error is not None:
            raise GeneratorError(f"{in_a_row} searches in a row failed, the last one because {row.error.message}")

    return tell
