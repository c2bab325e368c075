"""Shows the progress of an evaluation: a bar on a terminal, a line for each twentieth elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from epf.evaluation.rows import Row

LINES = 20
SPEED_OVER_S = 300.0
"""Seconds over which the speed is measured for the time left: searches of large and small budgets alternate."""


@contextmanager
def counter(stream: TextIO, total: int, before: Sequence[Row]) -> Iterator[Callable[[Row], None]]:
    """Yield a function that counts a row, in addition to the rows ``before`` of an earlier run."""
    n_done, n_right, n_failed = len(before), sum(row.correct for row in before), 0
    console = Console(file=stream)

    def state() -> str:
        right = f"right {100 * n_right / n_done:.1f} %" if n_done else ""
        return right + (f", {n_failed} failed" if n_failed else "")

    def count(row: Row) -> None:
        nonlocal n_done, n_right, n_failed
        n_done += 1
        n_right += row.correct
        n_failed += not row.final

    if not console.is_terminal or console.is_dumb_terminal:

        def write(row: Row) -> None:
            count(row)
            if n_done * LINES // total > (n_done - 1) * LINES // total:
                print(f"{n_done}/{total} searches, {state()}", file=stream, flush=True)

        yield write
        return

    columns = (
        TextColumn("searches"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, speed_estimate_period=SPEED_OVER_S) as bar:
        task = bar.add_task(state(), total=total, completed=n_done)

        def show(row: Row) -> None:
            count(row)
            bar.update(task, advance=1, description=state())

        yield show
