"""Any two methods of a run at the same budget: on how many problems they disagree, and their paired difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from epf.evaluation.report.grid import CellName, grid_of
from epf.evaluation.report.statistics import Interval, Verdict, difference
from epf.evaluation.rows import Row


@dataclass(frozen=True, slots=True)
class Pair:
    """Two methods at one budget on the same problems and seeds.

    Attributes:
        a, b: names of the methods, in the order of the run.
        n_better, n_worse, n_equal: number of problems on which ``b`` is right more often than ``a`` over the seeds, less
            often, and equally often.
        difference: accuracy of ``b`` minus that of ``a``, as a mean over problems.
        verdict: verdict on ``b``.
    """

    a: str
    b: str
    budget: int
    n_better: int
    n_worse: int
    n_equal: int
    difference: Interval
    verdict: Verdict


def pairs_of(rows: Sequence[Row], cells: Sequence[CellName]) -> list[Pair]:
    """Compare all methods with each other at the budgets that both have, on the complete pairs of problem and seed."""
    grid = grid_of(rows, cells)
    if not grid.n_searches:
        return []
    found = []
    for a, b in combinations(grid.methods, 2):
        for budget in sorted(set(grid.budgets(a)) & set(grid.budgets(b))):
            gaps = grid.right[b, budget] - grid.right[a, budget]
            mean = difference(gaps)
            n_better, n_worse, n_equal = (int(np.count_nonzero(each)) for each in (gaps > 0, gaps < 0, gaps == 0))
            found.append(Pair(a, b, budget, n_better, n_worse, n_equal, mean, mean.verdict))
    return found
