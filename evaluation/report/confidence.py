"""How well the confidence of the searches predicts whether their answers are right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.report.grid import CellName
from epf.evaluation.rows import Row
from epf.reward_models.calibration import expected_calibration_error, reliability

SURE = 0.9
"""Confidence from which an answer counts as sure."""

N_BINS = 10


@dataclass(frozen=True, slots=True)
class CellConfidence:
    """One method at one budget.

    Attributes:
        mean: mean confidence.
        right: fraction of right answers.
        ece: expected calibration error over ten bins of equal width, as a fraction.
        n_sure: number of searches whose confidence is above 0.9.
        sure_right: fraction of them that are right; None without such searches.
    """

    method: str
    budget: int
    mean: float
    right: float
    ece: float
    n_sure: int
    sure_right: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Searches of all methods and budgets whose confidence lies in one bin; ``share`` is their fraction of all searches."""

    mean: float
    right: float
    share: float


@dataclass(frozen=True, slots=True)
class Confidence:
    """The confidence of each cell, the expected calibration error of all cells together, and their reliability diagram."""

    cells: tuple[CellConfidence, ...]
    ece: float
    bins: tuple[Bin, ...]


def confidence(rows: Sequence[Row], cells: Sequence[CellName]) -> Confidence | None:
    """Compare confidences with outcomes; a search that concludes nothing has confidence 0 and is wrong.

    Returns None for rows of versions in which ``confidence`` was the share of the vote.
    """
    if not rows or all(row.evidence is None for row in rows):
        return None
    found, right = _arrays(rows)
    return Confidence(
        cells=tuple(_cell(cell, [row for row in rows if (row.method, row.budget) == cell]) for cell in cells),
        ece=expected_calibration_error(found, right, N_BINS),
        bins=tuple(Bin(*map(float, row)) for row in reliability(found, right, N_BINS)),
    )


def _cell(cell: CellName, rows: Sequence[Row]) -> CellConfidence:
    found, right = _arrays(rows)
    sure = found > SURE
    return CellConfidence(
        *cell,
        mean=float(found.mean()),
        right=float(right.mean()),
        ece=expected_calibration_error(found, right, N_BINS),
        n_sure=int(sure.sum()),
        sure_right=float(right[sure].mean()) if sure.any() else None,
    )


def _arrays(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row.confidence for row in rows]), np.array([row.correct for row in rows], np.float64)
