"""Rows as arrays: the results of each method at each budget on the same problems and seeds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.report.statistics import FloatArray
from epf.evaluation.rows import Row

CellName = tuple[str, int]
"""Method and budget."""

SLACK = 0.03
"""A method counts as measured up to this fraction of tokens beyond its smallest and largest budget."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The pairs of problem and seed for which every method and budget has a result.

    Attributes:
        right: share of seeds with the right answer by method and budget, ``(problems,)`` each.
        tokens: mean number of generated tokens per search, by method and budget.
        n_searches: number of pairs of problem and seed, the same for all.
        n_incomplete: number of pairs that are left out because one of their searches is missing or failed.
        rows: the rows of all pairs that are complete.
    """

    right: dict[CellName, FloatArray]
    tokens: dict[CellName, float]
    n_searches: int
    n_incomplete: int
    rows: tuple[Row, ...]

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in the order of the run."""
        return list(dict.fromkeys(method for method, _ in self.right))

    def budgets(self, method: str) -> list[int]:
        """Budgets of one method, in rising order."""
        return sorted(budget for name, budget in self.right if name == method)

    def at_tokens(self, method: str, tokens: float) -> FloatArray | None:
        """Share of right answers, ``(problems,)``, that a method would have at ``tokens`` generated tokens per search.

        Between two budgets it is interpolated linearly in the logarithm of their mean tokens, which are taken as exact. Returns
        None beyond the measured budgets.
        """
        curve = sorted((self.tokens[method, budget], budget) for budget in self.budgets(method))
        if not curve[0][0] * (1 - SLACK) <= tokens <= curve[-1][0] * (1 + SLACK):
            return None
        tokens = min(max(tokens, curve[0][0]), curve[-1][0])
        above = next(i for i, (t, _) in enumerate(curve) if t >= tokens)
        below = max(0, above - 1)
        (t0, b0), (t1, b1) = curve[below], curve[above]
        share = 1.0 if t0 == t1 else float(np.log(tokens / t0) / np.log(t1 / t0))
        return (1 - share) * self.right[method, b0] + share * self.right[method, b1]


def grid_of(rows: Sequence[Row], cells: Sequence[CellName]) -> Grid:
    """Build the arrays over the pairs of problem and seed that have a final row in each of ``cells``."""
    by_pair: dict[tuple[str, int], dict[CellName, Row]] = defaultdict(dict)
    for row in rows:
        if (row.method, row.budget) in cells:
            by_pair[row.problem, row.seed][row.method, row.budget] = row
    whole = {
        pair: found for pair, found in by_pair.items() if len(found) == len(cells) and all(r.final for r in found.values())
    }
    seeds_of: dict[str, list[dict[CellName, Row]]] = defaultdict(list)
    for (problem, _), found in whole.items():
        seeds_of[problem].append(found)
    right = {
        cell: np.array([np.mean([found[cell].correct for found in seeds]) for seeds in seeds_of.values()], np.float64)
        for cell in cells
    }
    tokens = {cell: float(np.mean([found[cell].generated_tokens for found in whole.values()])) for cell in cells if whole}
    used = tuple(row for found in whole.values() for row in found.values())
    return Grid(right, tokens, len(whole), len(by_pair) - len(whole), used)
