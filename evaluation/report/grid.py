"""Rows as arrays: what each method at each budget did on the same problems and seeds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.report.statistics import FloatArray
from epf.evaluation.rows import Row

CellName = tuple[str, int]
"""Method and budget."""

SLACK = 0.03
"""So far beyond its largest or smallest budget a method still counts as measured, as a fraction of their tokens."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The pairs of problem and seed that every method and budget has a result for.

    Attributes:
        right: share of seeds with the right answer by method and budget, ``(problems,)`` each.
        tokens: mean generated tokens of a search by method and budget.
        n_searches: pairs of problem and seed, the same for all.
        n_incomplete: pairs that are left out, because a search of theirs is missing or failed.
        rows: all rows that are in.
    """

    right: dict[CellName, FloatArray]
    tokens: dict[CellName, float]
    n_searches: int
    n_incomplete: int
    rows: tuple[Row, ...]

    @property
    def methods(self) -> list[str]:
        """In the order of the run."""
        return list(dict.fromkeys(method for method, _ in self.right))

    def budgets(self, method: str) -> list[int]:
        """Of one method, in rising order."""
        return sorted(budget for name, budget in self.right if name == method)

    def at_tokens(self, method: str, tokens: float) -> FloatArray | None:
        """Share of right answers, ``(problems,)``, that a method would have at so many generated tokens a search.

        Between two budgets it is interpolated linearly in the logarithm of their mean tokens, which are taken as exact; beyond
        the budgets that were measured there is none.
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
    """Arrays over the pairs of problem and seed that have a final row in every one of ``cells``."""
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
