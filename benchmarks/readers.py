"""What a second reader adds: ``python -m benchmarks.readers``, the last part of ``make bench-readers``.

Reads the rows of ``make bench-methods``, where the reward model of ``stories`` judges alone, and those of the same methods,
problems and seeds with ``stories-second`` as a second reader; writes ``benchmarks/results/readers.md`` and ``.json``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from benchmarks.output import RESULTS, save
from epf.evaluation.report.grid import grid_of
from epf.evaluation.report.statistics import Interval, accuracy, difference
from epf.evaluation.report.text import signed, table
from epf.evaluation.rows import Row
from epf.evaluation.store import read_run

METHODS, BUDGETS = ("epf", "pf", "dvts"), (8, 16)
REFERENCE = "pf"
TWO = " with two readers"


@dataclass(frozen=True, slots=True)
class Line:
    """A method at one N, with one reader and with two; differences are in points."""

    method: str
    n: int
    one: Interval
    two: Interval
    gain: Interval
    over_reference: Interval


def lines(one: Sequence[Row], two: Sequence[Row]) -> tuple[list[Line], int]:
    """Return the lines, and the number of pairs of problem and seed that all cells have."""
    wanted = [row for row in one if row.method in METHODS and row.budget in BUDGETS]
    named = [replace(row, method=row.method + TWO) for row in two]
    grid = grid_of([*wanted, *named], [(method + end, n) for method in METHODS for n in BUDGETS for end in ("", TWO)])
    found = [
        Line(
            method,
            n,
            accuracy(grid.right[method, n]),
            accuracy(grid.right[method + TWO, n]),
            difference(grid.right[method + TWO, n] - grid.right[method, n]),
            difference(grid.right[method + TWO, n] - grid.right[REFERENCE, n]),
        )
        for method in METHODS
        for n in BUDGETS
    ]
    return found, grid.n_searches


def page(found: Sequence[Line], n_searches: int) -> str:
    """Return the figures as Markdown."""
    rows = [
        (
            f"`{line.method}`",
            line.n,
            f"{100 * line.one.mean:.1f}",
            f"{100 * line.two.mean:.1f}",
            signed(line.gain),
            signed(line.over_reference),
        )
        for line in found
    ]
    head = ("method", "N", "one reader", "two readers", "gain", f"two readers minus `{REFERENCE}` with one")
    intro = f"{n_searches} pairs of problem and seed of `synthetic`, `make bench-readers`; accuracy in percent."
    return f"{intro}\n\n{table(head, rows)}\n"


def main() -> None:
    """Read the rows, summarise them and write the figures."""
    _, one = read_run(RESULTS / "methods")
    _, two = read_run(RESULTS / "two_readers")
    found, n_searches = lines(one, two)
    result = {"n_searches": n_searches, "lines": [asdict(line) for line in found]}
    save(RESULTS / "readers", result, page(found, n_searches))


if __name__ == "__main__":
    main()
