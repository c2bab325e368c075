"""Two runs side by side, on the problems, seeds, methods and budgets that both have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from epf.core.errors import InvalidRequest
from epf.evaluation.report.grid import CellName, grid_of
from epf.evaluation.report.statistics import accuracy, difference
from epf.evaluation.report.text import signed, table
from epf.evaluation.rows import Row
from epf.evaluation.store import differences

Run = tuple[Mapping[str, Any], Sequence[Row]]
"""Settings and rows, as :func:`epf.evaluation.store.read_run` gives them."""


def compared(a: Run, b: Run) -> str:
    """A Markdown page: how the runs differ in their settings, and b minus a for each method and budget.

    Problems count as the same if id, text and right answer are.

    Raises:
        InvalidRequest: there is nothing that both have.
    """
    (settings_a, rows_a), (settings_b, rows_b) = a, b
    common = dict(settings_a["problems"].items() & settings_b["problems"].items())
    cells = [(method, budget) for method, budget in settings_a["cells"] if [method, budget] in settings_b["cells"]]
    if not common or not cells:
        raise InvalidRequest("the runs have no problem, or no method at one budget, in common", param="compare")
    # One grid over both: a pair of problem and seed is in when both runs have all of its cells.
    grid = grid_of([*_under("a", rows_a, common), *_under("b", rows_b, common)], [_named(r, c) for r in "ab" for c in cells])
    if not grid.n_searches:
        raise InvalidRequest("the runs have no pair of problem and seed in common that is complete in both", param="compare")
    rows = []
    for cell in cells:
        of_a, of_b = (grid.right[_named(run, cell)] for run in "ab")
        gap = difference(of_b - of_a)
        shares = [
            f"{100 * share.mean:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})" for share in map(accuracy, (of_a, of_b))
        ]
        tokens = [f"{grid.tokens[_named(run, cell)]:.0f}" for run in "ab"]
        rows.append((*cell, *shares, signed(gap), gap.verdict, *tokens))
    header = ("method", "budget", "A in %", "B in %", "B minus A, in points", "verdict", "tokens of A", "tokens of B")
    told = [f"- {line}" for line in differences(settings_a, settings_b)] or ["- in nothing"]
    return (
        f"{len(common)} problems, {grid.n_searches} pairs of problem and seed. A and B differ in their settings:\n\n"
        + "\n".join(told)
        + "\n\n"
        + table(header, rows)
        + "\n"
    )


def _named(run: str, cell: CellName) -> CellName:
    return f"{run} {cell[0]}", cell[1]


def _under(run: str, rows: Sequence[Row], common: Mapping[str, str]) -> list[Row]:
    """The rows of common problems, with the run in the method's name."""
    return [replace(row, method=f"{run} {row.method}") for row in rows if row.problem in common]
