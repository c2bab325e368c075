"""Whether ePF helps where the reward model is over-confident: ``python -m benchmarks.overconfidence``.

Reads the rows of ``make bench-methods`` and ``make bench-overconfident``; writes ``benchmarks/results/overconfidence.md`` and
``.json``.

The over-confidence of a score after step t is the score minus the share of solutions that end right, over 32 independent,
unselected solutions of a problem and seed. Problems are ranked by their over-confidence in the first half of the steps; the
first and last third are where the reward model is calibrated best and worst. A filter weighs by odds, so an over-confidence
that adds a constant to all log odds cancels out of the weights, but one that multiplies them does not. The last part therefore
uses the same reward model with its log odds multiplied by three.

Each filter is compared with PF on the same problems and seeds, at the same N and at the same number of generated tokens:
:mod:`epf.evaluation.report.grid`.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.output import RESULTS, save
from epf.evaluation.report.grid import Grid, grid_of
from epf.evaluation.report.statistics import Interval, accuracy, difference
from epf.evaluation.report.text import signed, table
from epf.evaluation.rows import Row
from epf.evaluation.store import read_run

COMMAND = "python -m benchmarks.overconfidence"
UNSELECTED = ("best_of_n+aggregation=mean", 32)
"""Samples independently and scores after every step."""
FILTERS = ("pf", "epf", "epf_published", "epf+lookahead=reuse", "epf+lookahead=redraw")
SMALL_AND_LARGE = (4, 32)
MIN_PROBLEMS = 20
"""Depths that fewer problems reach are omitted."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Scores after step ``depth`` of unselected solutions."""

    depth: int
    n_problems: int
    mean_score: float
    ended_right: float
    overconfidence: Interval


@dataclass(frozen=True, slots=True)
class Line:
    """A filter on one group of problems or scores; differences are from PF."""

    where: str
    n_problems: int
    method: str
    n: int
    accuracy: Interval
    tokens: float
    at_same_n: Interval
    at_same_tokens: Interval | None


def by_depth(rows: Sequence[Row]) -> list[Depth]:
    """Compare scores with outcomes by depth; every problem counts once."""
    found: dict[int, dict[str, list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for traced in row.traced:
            for depth, score in enumerate(traced.scores, start=1):
                found[depth][row.problem] += [(score, traced.right)] * traced.copies
    depths = []
    for depth, problems in sorted(found.items()):
        if len(problems) >= MIN_PROBLEMS:
            scores, right = np.array([np.mean(values, axis=0) for values in problems.values()]).T
            gap = difference(scores - right)
            depths.append(Depth(depth, len(problems), float(scores.mean()), float(right.mean()), gap))
    return depths


def early_overconfidence(rows: Sequence[Row]) -> dict[str, float]:
    """Return by problem the mean score over the first half of the steps minus the share of solutions that end right."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for traced in row.traced:
            half = traced.scores[: (len(traced.scores) + 1) // 2]
            found[row.problem] += [float(np.mean(half)) - traced.right] * traced.copies
    return {problem: float(np.mean(values)) for problem, values in found.items()}


def lines(where: str, rows: Sequence[Row], problems: Collection[str] | None = None) -> list[Line]:
    """Return all filters on some problems, by default on all."""
    mine = [row for row in rows if row.method in FILTERS and (problems is None or row.problem in problems)]
    budgets = sorted({row.budget for row in mine})
    grid = grid_of(mine, [(method, budget) for method in FILTERS for budget in budgets])
    n_problems = len({row.problem for row in grid.rows})
    return [_line(where, n_problems, grid, method, n) for n in SMALL_AND_LARGE for method in FILTERS]


def _line(where: str, n_problems: int, grid: Grid, method: str, n: int) -> Line:
    right, tokens = grid.right[method, n], grid.tokens[method, n]
    plain = grid.at_tokens("pf", tokens)
    return Line(
        where,
        n_problems,
        method,
        n,
        accuracy(right),
        tokens,
        difference(right - grid.right["pf", n]),
        None if plain is None else difference(right - plain),
    )


def page(depths: Sequence[Depth], found: Sequence[Line]) -> str:
    """Return the figures as a Markdown page."""
    scores = [
        (d.depth, d.n_problems, f"{100 * d.mean_score:.1f}", f"{100 * d.ended_right:.1f}", signed(d.overconfidence))
        for d in depths
    ]
    filters = [
        (
            line.where,
            line.n_problems,
            line.n,
            line.method,
            f"{100 * line.accuracy.mean:.1f}",
            f"{line.tokens:.0f}",
            "" if line.method == "pf" else f"{signed(line.at_same_n)} {line.at_same_n.verdict}",
            "" if line.method == "pf" else _gap(line.at_same_tokens),
        )
        for line in found
    ]
    return (
        "\n\n".join(
            [
                "# Where the reward model is over-confident",
                f"`{COMMAND}`, from the rows of `make bench-methods` and `make bench-overconfident`.",
                "Unselected solutions, 32 for each problem and seed:",
                table(
                    ("after step", "problems", "mean score in %", "ended right in %", "score minus right, in points"), scores
                ),
                "Filters where the reward model is calibrated well and where it is over-confident; 95 % intervals, "
                "paired by problem and seed:",
                table(
                    (
                        "where",
                        "problems",
                        "N",
                        "method",
                        "accuracy in %",
                        "tokens",
                        "minus PF at N",
                        "minus PF at the same tokens",
                    ),
                    filters,
                ),
            ]
        )
        + "\n"
    )


def _gap(gap: Interval | None) -> str:
    return "PF was not measured there" if gap is None else f"{signed(gap)} {gap.verdict}"


def main() -> None:
    """Read the rows, summarise them and write the figures."""
    _, rows = read_run(RESULTS / "methods")
    _, sharpened = read_run(RESULTS / "overconfident")
    unselected = [row for row in rows if (row.method, row.budget) == UNSELECTED]
    ranked = sorted((value, problem) for problem, value in early_overconfidence(unselected).items())
    third = len(ranked) // 3
    depths = by_depth(unselected)
    found = [
        *lines("best calibrated third", rows, {problem for _, problem in ranked[:third]}),
        *lines("most over-confident third", rows, {problem for _, problem in ranked[-third:]}),
        *lines("log odds times 3", sharpened),
    ]
    result = {"command": COMMAND, "by_depth": [asdict(d) for d in depths], "filters": [asdict(f) for f in found]}
    save(RESULTS / "overconfidence", result, page(depths, found))


if __name__ == "__main__":
    main()
