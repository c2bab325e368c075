"""Comparison of two runs on the problems, seeds, methods and budgets that both have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from epf.core.errors import InvalidRequest
from epf.evaluation.report.grid import CellName, grid_of
from epf.evaluation.report.statistics import accuracy, difference
from epf.evaluation.report.text import percent, signed, table
from epf.evaluation.rows import Row
from epf.evaluation.store import differences

Run = tuple[Mapping[str, Any], Sequence[Row]]
"""Settings and rows of a run, as :func:`epf.evaluation.store.read_run` returns them."""


def compare_runs(a: Run, b: Run) -> str:
    """Write a Markdown page: how the settings of the runs differ, and b minus a for each method and budget.

    Problems are the same if their id, text and right answer are.

    Raises:
        InvalidRequest: the runs have nothing in common.
    """
    (settings_a, rows_a), (settings_b, rows_b) = a, b
    common = dict(settings_a["problems"].items() & settings_b["problems"].items())
    cells = [(method, budget) for method, budget in settings_a["cells"] if [method, budget] in settings_b["cells"]]
    if not common or not cells:
        raise InvalidRequest("The runs have no problem, or no method at the same budget, in common.", param="compare")
    # One grid over both runs: it has a pair of problem and seed if both runs have all of its cells.
    grid = grid_of(
        [*_renamed("a", rows_a, common), *_renamed("b", rows_b, common)], [_named(run, cell) for run in "ab" for cell in cells]
    )
    if not grid.n_searches:
        raise InvalidRequest("The runs have no pair of problem and seed in common that is complete in both.", param="compare")
    rows = []
    for cell in cells:
        of_a, of_b = (grid.right[_named(run, cell)] for run in "ab")
        gap = difference(of_b - of_a)
        shares = [percent(accuracy(values)) for values in (of_a, of_b)]
        tokens = [f"{grid.tokens[_named(run, cell)]:.0f}" for run in "ab"]
        rows.append((*cell, *shares, signed(gap), gap.verdict, *tokens))
    header = ("method", "budget", "A in %", "B in %", "B minus A, in points", "verdict", "tokens of A", "tokens of B")
    differ = "\n".join(f"- {line}" for line in differences(settings_a, settings_b))
    parts = (
        f"{len(common)} problems, {grid.n_searches} pairs of problem and seed.",
        f"The settings of A and B differ:\n\n{differ}" if differ else "The settings of A and B are the same.",
        table(header, rows),
    )
    return "\n\n".join(parts) + "\n"


def _named(run: str, cell: CellName) -> CellName:
    return f"{run} {cell[0]}", cell[1]


def _renamed(run: str, rows: Sequence[Row], common: Mapping[str, str]) -> list[Row]:
    """The rows of the common problems, with the run in the name of the method."""
    return [replace(row, method=f"{run} {row.method}") for row in rows if row.problem in common]
