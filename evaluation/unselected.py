"""Solutions that nothing has selected: those of independent sampling, and of searches with one particle."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from epf.evaluation.rows import Row
from epf.evaluation.slope_by_depth import Solution

INDEPENDENT = ("best_of_n", "weighted_best_of_n", "self_consistency", "sample")
"""Methods that draw a fixed number of independent solutions."""


def unselected_cell(cells: Iterable[tuple[str, int]]) -> tuple[str, int] | None:
    """The method and budget of ``cells`` with the most solutions that nothing selected; None without one."""
    found = [(name, budget) for name, budget in cells if budget == 1 or name.partition("+")[0] in INDEPENDENT]
    return max(found, key=lambda cell: cell[1], default=None)


def independent_solutions(rows: Sequence[Row]) -> list[list[Solution]]:
    """Solutions that were scored after every step, by problem, of one method and budget: others may share their draws."""
    cell = unselected_cell(dict.fromkeys((row.method, row.budget) for row in rows if row.traced))
    found: dict[str, list[Solution]] = defaultdict(list)
    for row in rows:
        if (row.method, row.budget) == cell:
            found[row.problem] += [(one.right, one.scores) for one in row.traced for _ in range(one.copies)]
    return list(found.values())
