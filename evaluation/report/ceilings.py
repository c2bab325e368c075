"""Ceilings: what the best possible way to select an answer would reach with the same particles.

A search can fail in two ways: none of its final particles is right, or one is and another answer is selected. *Any right* keeps
the two apart. *Selection efficiency* is (accuracy - one sample) / (any right - one sample): 0 selects no better than one random
sample, 1 never misses a right particle. A filter with *exact labels* shows what a perfect reward model would give.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.report.grid import CellName, Grid, grid_of
from epf.evaluation.report.statistics import FloatArray, Interval, accuracy
from epf.evaluation.rows import Row
from epf.evaluation.unselected import unselected_cell


@dataclass(frozen=True, slots=True)
class CellCeiling:
    """One method at one budget.

    Attributes:
        right: share of searches with the right answer.
        any_right: share of searches in which at least one final particle has the right answer.
        missed: ``any_right`` minus accuracy.
        efficiency: selection efficiency, at most 1; None if one sample is not known, or right as often as any.
    """

    method: str
    budget: int
    right: float
    any_right: Interval
    missed: float
    efficiency: float | None


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The ceilings of all cells.

    Attributes:
        one_sample: share of single samples that are right; None if every search selects among its solutions.
        sampled_by: the cell whose solutions these are.
        cells: methods and budgets; at the end those of searches with exact labels.
    """

    one_sample: Interval | None
    sampled_by: str | None
    cells: tuple[CellCeiling, ...]


def ceilings(grid: Grid, cells: Sequence[CellName], exact: Sequence[Row] = ()) -> Ceilings | None:
    """Ceilings of the cells, and of the rows of searches with ``exact`` labels, on the problems and seeds that these have.

    Returns None without searches, and for rows of versions that did not count right particles.
    """
    if not grid.rows or any(row.n_right is None for row in grid.rows):
        return None
    by_cell: dict[CellName, list[Row]] = defaultdict(list)
    for row in grid.rows:
        by_cell[row.method, row.budget].append(row)
    source = unselected_cell(cells)
    one = None if source is None else _by_problem(by_cell[source], whole=False)
    return Ceilings(
        one_sample=None if one is None else accuracy(one),
        sampled_by=None if source is None else f"{source[0]} at {source[1]}",
        cells=(*(_cell(grid, cell, by_cell[cell], one) for cell in cells), *_exact(exact, one)),
    )


def _exact(rows: Sequence[Row], one: FloatArray | None) -> list[CellCeiling]:
    cells = sorted({(row.method, row.budget) for row in rows})
    grid = grid_of(rows, cells)
    found = [(cell, [row for row in grid.rows if (row.method, row.budget) == cell]) for cell in cells]
    return [_cell(grid, cell, mine, one) for cell, mine in found if mine]


def _cell(grid: Grid, cell: CellName, rows: Sequence[Row], one: FloatArray | None) -> CellCeiling:
    any_right, right = _by_problem(rows, whole=True), float(grid.right[cell].mean())
    top, low = float(any_right.mean()), None if one is None else float(one.mean())
    efficiency = None if low is None or top <= low else (right - low) / (top - low)
    return CellCeiling(*cell, right, accuracy(any_right), top - right, efficiency)


def _by_problem(rows: Sequence[Row], *, whole: bool) -> FloatArray:
    """Mean over the searches of each problem, ``(problems,)``: share of right particles or, if ``whole``, any right one."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        n = row.n_right or 0
        found[row.problem].append(float(n > 0) if whole else n / row.budget)
    return np.array([np.mean(values) for values in found.values()])
