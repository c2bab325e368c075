"""What a run says: accuracies with intervals, paired differences, and which method and budget to take."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.report.calibration import Calibration, calibration
from epf.evaluation.report.grid import CellName, Grid, grid_of
from epf.evaluation.report.statistics import Interval, Verdict, accuracy, difference
from epf.evaluation.rows import Row


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One method at one budget. Tokens and calls are means of a search; ``seconds`` is the median of those that ran alone."""

    method: str
    budget: int
    accuracy: Interval
    generated_tokens: float
    discarded_tokens: float
    prm_calls: float
    seconds: float | None
    slowest_seconds: float | None
    n_timed: int
    stop_reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method against the reference, at one budget of both or at ``tokens`` of both."""

    method: str
    reference: str
    budget: int | None
    tokens: float | None
    difference: Interval
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """Mean over searches of a method's largest budget, after resampling round ``t``; counts are fractions of n."""

    method: str
    budget: int
    t: int
    n_searches: int
    ess: float
    entropy: float
    temperature: float
    distinct_ancestors: float


@dataclass(frozen=True, slots=True)
class Advice:
    """``best`` is the most accurate; ``cheapest`` generates the fewest tokens of all that tie with it."""

    best: CellName
    cheapest: CellName


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that ``report.json`` holds besides the settings.

    Attributes:
        n_problems, n_searches: that every method and budget has a result for; a search here is a pair of problem and seed.
        n_incomplete: pairs without a result of each method and budget, left out.
        failures: searches without a result, by their error.
        counted_wrong: searches that ended without anything to answer from, by their error.
    """

    n_problems: int
    n_searches: int
    n_incomplete: int
    failures: dict[str, int]
    counted_wrong: dict[str, int]
    advice: Advice | None
    cells: tuple[CellSummary, ...]
    same_budget: tuple[Comparison, ...]
    same_tokens: tuple[Comparison, ...]
    rounds: tuple[RoundSummary, ...]
    calibration: Calibration | None


def report_of(rows: Sequence[Row], cells: Sequence[CellName]) -> Report:
    """The report on the pairs of problem and seed that are complete; the first method of ``cells`` is the reference."""
    grid = grid_of(rows, cells)
    some = grid.n_searches > 0
    return Report(
        n_problems=len({row.problem for row in grid.rows}),
        n_searches=grid.n_searches,
        n_incomplete=grid.n_incomplete,
        failures=dict(Counter(row.error.code for row in rows if row.error and not row.final)),
        counted_wrong=dict(Counter(row.error.code for row in grid.rows if row.error)),
        advice=_advice(grid) if some else None,
        cells=tuple(_cell(grid, cell) for cell in cells) if some else (),
        same_budget=tuple(_same_budget(grid)) if some else (),
        same_tokens=tuple(_same_tokens(grid)) if some else (),
        rounds=tuple(round_ for method in grid.methods for round_ in _rounds(grid, method)) if some else (),
        calibration=calibration(grid.rows),
    )


def _cell(grid: Grid, cell: CellName) -> CellSummary:
    mine = [row for row in grid.rows if (row.method, row.budget) == cell]
    seconds = [row.seconds for row in mine if row.seconds is not None]
    return CellSummary(
        method=cell[0],
        budget=cell[1],
        accuracy=accuracy(grid.right[cell]),
        generated_tokens=grid.tokens[cell],
        discarded_tokens=float(np.mean([row.discarded_tokens for row in mine])),
        prm_calls=float(np.mean([row.prm_calls for row in mine])),
        seconds=float(np.median(seconds)) if seconds else None,
        slowest_seconds=max(seconds, default=None),
        n_timed=len(seconds),
        stop_reasons=dict(Counter(row.stop_reason or "failed" for row in mine)),
    )


def _same_budget(grid: Grid) -> list[Comparison]:
    reference, *others = grid.methods
    found = []
    for method in others:
        for budget in grid.budgets(method):
            if (reference, budget) in grid.right:
                gap = difference(grid.right[method, budget] - grid.right[reference, budget])
                found.append(Comparison(method, reference, budget, None, gap, gap.verdict))
    return found


def _same_tokens(grid: Grid) -> list[Comparison]:
    """At the mean tokens of each budget of the reference, wherever the other method was measured around it."""
    reference, *others = grid.methods
    found = []
    for method in others:
        for budget in grid.budgets(reference):
            tokens = grid.tokens[reference, budget]
            values = grid.at_tokens(method, tokens)
            if values is not None:
                gap = difference(values - grid.right[reference, budget])
                found.append(Comparison(method, reference, None, tokens, gap, gap.verdict))
    return found


def _advice(grid: Grid) -> Advice:
    best = max(grid.right, key=lambda cell: (float(grid.right[cell].mean()), -grid.tokens[cell]))
    ties = [cell for cell in grid.right if difference(grid.right[cell] - grid.right[best]).verdict == "tie"]
    return Advice(best, min(ties, key=lambda cell: grid.tokens[cell]))


def _rounds(grid: Grid, method: str) -> list[RoundSummary]:
    budget = grid.budgets(method)[-1]
    seen = [row.rounds for row in grid.rows if (row.method, row.budget) == (method, budget) and row.rounds.ess]
    found = []
    for i in range(max((len(rounds.ess) for rounds in seen), default=0)):
        there = [rounds for rounds in seen if len(rounds.ess) > i]
        found.append(
            RoundSummary(
                method=method,
                budget=budget,
                t=i + 1,
                n_searches=len(there),
                ess=float(np.mean([rounds.ess[i] for rounds in there])) / budget,
                entropy=float(np.mean([rounds.entropy[i] for rounds in there])),
                temperature=float(np.mean([rounds.temperature[i] for rounds in there])),
                distinct_ancestors=float(np.mean([rounds.distinct_ancestors[i] for rounds in there])) / budget,
            )
        )
    return found
