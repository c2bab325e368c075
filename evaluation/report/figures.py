"""Figures of a run: accuracies with intervals, paired differences, and a recommended method and budget."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.plan import EXACT_LABELS
from epf.evaluation.report.calibration import Calibration, calibration
from epf.evaluation.report.ceilings import Ceilings, ceilings
from epf.evaluation.report.confidence import Confidence, confidence
from epf.evaluation.report.grid import CellName, Grid, grid_of
from epf.evaluation.report.statistics import Interval, Verdict, accuracy, difference
from epf.evaluation.rows import Row
from epf.search.result import WarningCode


@dataclass(frozen=True, slots=True)
class CellSummary:
    """One method at one budget. Tokens and calls are means per search; ``seconds`` is the median of searches that ran alone."""

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
    """A method compared with the reference, at the same budget or at the same number of ``tokens``."""

    method: str
    reference: str
    budget: int | None
    tokens: float | None
    difference: Interval
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """Means over the searches of a method's largest budget after resampling round ``t``; counts are fractions of n."""

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
    """Which cells to choose from.

    Attributes:
        best: the most accurate cell; of several with the same accuracy, the one that generates the fewest tokens.
        cheapest: the cell that generates the fewest tokens of all that tie with ``best``.
        as_accurate: all other cells with exactly the accuracy of ``best``.
    """

    best: CellName
    cheapest: CellName
    as_accurate: tuple[CellName, ...] = ()


@dataclass(frozen=True, slots=True)
class WarningSummary:
    """The searches with one warning; ``code`` is None for those without any. ``right`` is the share with the right answer."""

    code: WarningCode | None
    n_searches: int
    right: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that ``report.json`` holds in addition to the settings.

    Attributes:
        n_problems, n_searches: number of problems, and of pairs of problem and seed, for which every cell has a result.
        n_incomplete: number of pairs that are left out because a cell has no result.
        failures: number of searches without a result, by error code.
        counted_wrong: number of searches that ended without anything to answer from, by error code.
        advice: the most accurate cell and the cheapest that ties with it.
        cells: methods and budgets.
        ceilings: what selecting an answer could reach; None for rows of versions that did not record it.
        same_budget, same_tokens: comparisons with the first method.
        rounds: what happens over the resampling rounds.
        warnings: how many searches had which warning, most frequent first; empty if no search had one.
        confidence: how well the confidence predicts whether the answer is right; None for rows of version 0.1.0.
        calibration: how well the scores predict the outcome.
    """

    n_problems: int
    n_searches: int
    n_incomplete: int
    failures: dict[str, int]
    counted_wrong: dict[str, int]
    advice: Advice | None
    cells: tuple[CellSummary, ...]
    ceilings: Ceilings | None
    same_budget: tuple[Comparison, ...]
    same_tokens: tuple[Comparison, ...]
    rounds: tuple[RoundSummary, ...]
    warnings: tuple[WarningSummary, ...]
    confidence: Confidence | None
    calibration: Calibration | None


def report_of(rows: Sequence[Row], cells: Sequence[CellName]) -> Report:
    """Report on the complete pairs of problem and seed; the first method of ``cells`` is the reference."""
    grid = grid_of(rows, cells)
    is_empty = grid.n_searches == 0
    return Report(
        n_problems=len({row.problem for row in grid.rows}),
        n_searches=grid.n_searches,
        n_incomplete=grid.n_incomplete,
        failures=dict(Counter(row.error.code for row in rows if row.error and not row.final)),
        counted_wrong=dict(Counter(row.error.code for row in grid.rows if row.error)),
        advice=None if is_empty else _advice(grid),
        cells=() if is_empty else tuple(_cell(grid, cell) for cell in cells),
        ceilings=ceilings(grid, cells, [row for row in rows if row.method == EXACT_LABELS]),
        same_budget=() if is_empty else tuple(_same_budget(grid)),
        same_tokens=() if is_empty else tuple(_same_tokens(grid)),
        rounds=() if is_empty else tuple(round_ for method in grid.methods for round_ in _rounds(grid, method)),
        warnings=tuple(_warnings(grid.rows)),
        confidence=confidence(grid.rows, cells),
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


def _warnings(rows: Sequence[Row]) -> list[WarningSummary]:
    right: dict[WarningCode | None, list[bool]] = defaultdict(list)
    for row in rows:
        if row.warnings is not None:
            for code in row.warnings or (None,):
                right[code].append(row.correct)
    found = [WarningSummary(code, len(each), sum(each) / len(each)) for code, each in right.items()]
    found.sort(key=lambda one: (one.code is None, -one.n_searches))
    return [] if [one.code for one in found] == [None] else found


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
    """Compare at the mean tokens of each budget of the reference that lies within the measured budgets of the other method."""
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
    share = {cell: round(float(right.mean()), 12) for cell, right in grid.right.items()}
    best = max(share, key=lambda cell: (share[cell], -grid.tokens[cell]))
    ties = [cell for cell in grid.right if difference(grid.right[cell] - grid.right[best]).verdict == "tie"]
    equal = tuple(cell for cell in share if cell != best and share[cell] == share[best])
    return Advice(best, min(ties, key=lambda cell: (grid.tokens[cell], cell != best)), equal)


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
