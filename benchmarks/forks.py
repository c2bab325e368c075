"""Methods where a wrong choice shows late: ``python -m benchmarks.forks``, the last part of ``make bench-forks``.

Reads the runs of the pairs ``forks`` and ``forks-overconfident`` on the mazes of the set ``forks``; writes
``benchmarks/results/forks.md`` and ``.json``. ``epf`` has the profile of the pair (``make tune-pair``), so it is the default
that was tuned; a second run without the profile has ``epf`` as it is otherwise. Every method is compared with plain particle
filtering on the same mazes and seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from benchmarks.output import RESULTS, marked, save
from epf.engines.onnx.pairs import FORKS, FORKS_OVERCONFIDENT
from epf.evaluation.report.grid import grid_of
from epf.evaluation.report.statistics import Interval, accuracy, difference
from epf.evaluation.report.text import signed, table
from epf.evaluation.rows import Row
from epf.evaluation.store import read_run

REFERENCE, TUNED = "pf", "epf"
RUNS = {pair.name: RESULTS / pair.name for pair in (FORKS_OVERCONFIDENT, FORKS)}
UNTUNED = ", untuned"
NAMES = {
    TUNED: "`epf`, tuned",
    "epf" + UNTUNED: "`epf`, not tuned",
    "epf+lookahead=reuse" + UNTUNED: "the same with look-ahead",
}
"""What methods are called in the table, where not by their names; these come first."""


@dataclass(frozen=True, slots=True)
class Line:
    """A method at one N; differences are in points."""

    pair: str
    method: str
    n: int
    accuracy: Interval
    tokens: float
    over_pf: Interval
    behind_tuned: Interval


def lines(pair: str, rows: Sequence[Row]) -> tuple[list[Line], int]:
    """Return the lines of one pair, and the number of pairs of maze and seed that all its cells have."""
    cells = sorted({(row.method, row.budget) for row in rows}, key=_place)
    grid = grid_of(rows, cells)
    found = [
        Line(
            pair,
            method,
            n,
            accuracy(grid.right[method, n]),
            grid.tokens[method, n],
            difference(grid.right[method, n] - grid.right[REFERENCE, n]),
            difference(grid.right[TUNED, n] - grid.right[method, n]),
        )
        for method, n in cells
    ]
    return found, grid.n_searches


def _place(cell: tuple[str, int]) -> tuple[bool, int, str, int]:
    method, n = cell
    known = method in NAMES
    return not known, list(NAMES).index(method) if known else 0, method, n


def shown(found: Sequence[Line]) -> str:
    """Return a table of one pair: accuracy by method and N, marked where it differs from plain filtering."""
    budgets = sorted({line.n for line in found})
    by_cell = {(line.method, line.n): line for line in found}

    def cell(method: str, n: int) -> str:
        line = by_cell[method, n]
        return marked(line.accuracy.mean, line.over_pf.verdict)

    rows = [
        (_name(method), *(cell(method, n) for n in budgets), f"{by_cell[method, budgets[-1]].tokens:.0f}")
        for method in dict.fromkeys(line.method for line in found)
    ]
    return table(("method", *(f"N = {n}" for n in budgets), f"tokens at {budgets[-1]}"), rows)


def page(found: Sequence[Line], counts: Mapping[str, int]) -> str:
    """Return the figures as Markdown; ``counts`` are the pairs of maze and seed of each pair of models."""
    text = (
        "`make bench-forks`; accuracy in percent. + and - mark what is better or worse than `pf` at the same N, by a 95 % "
        "interval over the same pairs of maze and seed."
    )
    for pair, n_searches in counts.items():
        mine = [line for line in found if line.pair == pair]
        gaps = [
            (
                _name(line.method),
                line.n,
                "" if line.method == REFERENCE else signed(line.over_pf),
                "" if line.method == TUNED else signed(line.behind_tuned),
            )
            for line in mine
        ]
        text += f"\n\n## Reward model of `{pair}`\n\n{shown(mine)}\n\n{n_searches} pairs of maze and seed.\n\n"
        text += table(("method", "N", "minus `pf`", "tuned minus this"), gaps)
    return text + "\n"


def _name(method: str) -> str:
    return NAMES.get(method, f"`{method}`")


def main() -> None:
    """Read the rows, summarise them and write the figures."""
    found, counts = list[Line](), dict[str, int]()
    for pair, directory in RUNS.items():
        _, tuned = read_run(directory)
        _, untuned = read_run(directory.with_name(f"{pair}-untuned"))
        mine, counts[pair] = lines(pair, [*tuned, *(replace(row, method=row.method + UNTUNED) for row in untuned)])
        found += mine
    save(RESULTS / "forks", {"counts": counts, "lines": [asdict(line) for line in found]}, page(found, counts))


if __name__ == "__main__":
    main()
