"""A reader of vectors: linear, by ridge regression, each fold of the rows read by a probe of the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray, IntArray

PENALTIES = np.logspace(-8, 4, 49)
"""Relative to the largest squared singular value. The largest leaves hardly more than the mean."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Reads ``(n, d)`` as ``(n, k)``.

    Attributes:
        rows: which rows of the data it is for, ``(n,)``: those that it has not seen.
        weights: ``(d, k)``.
        offset: ``(k,)``.
    """

    rows: NDArray[np.bool_]
    weights: FloatArray
    offset: FloatArray

    def read(self, x: FloatArray) -> FloatArray:
        """Predictions, ``(n, k)``."""
        return np.asarray(x @ self.weights + self.offset)


class _Ridge:
    """All ridge regressions of one set of rows: ``y ~ (x - x_mean) vt' diag(s / (s^2 + penalty)) told + y_mean``."""

    def __init__(self, x: FloatArray, y: FloatArray) -> None:
        self.x_mean, self.y_mean = x.mean(axis=0), y.mean(axis=0)
        u, self._s, self.vt = np.linalg.svd(x - self.x_mean, full_matrices=False)
        self._told = u.T @ (y - self.y_mean)

    def along(self, penalty: float) -> FloatArray:
        """Weights of the singular directions, ``(r, k)``."""
        whole = self._s**2 + penalty * self._s.max(initial=0.0) ** 2
        return np.asarray(np.divide(self._s, whole, out=np.zeros_like(self._s), where=whole > 0)[:, None] * self._told)


def probes(x: FloatArray, y: FloatArray, folds: IntArray) -> list[Probe]:
    """One probe for each fold ``(n,)``, which reads vectors ``(n, d)`` as targets ``(n, k)``. O(n d min(n, d)).

    The penalty is one for all folds, that of the least squared error on the rows that a probe has not seen.
    """
    ridges = [(folds == fold, _Ridge(x[folds != fold], y[folds != fold])) for fold in np.unique(folds)]
    penalty = float(PENALTIES[int(np.argmin(sum(_errors(x[rows], y[rows], ridge) for rows, ridge in ridges)))])
    return [_probe(rows, ridge, penalty) for rows, ridge in ridges]


def _errors(x: FloatArray, y: FloatArray, ridge: _Ridge) -> FloatArray:
    """Sum of squared errors at each penalty."""
    projected, wanted = (x - ridge.x_mean) @ ridge.vt.T, y - ridge.y_mean
    return np.array([((projected @ ridge.along(penalty) - wanted) ** 2).sum() for penalty in PENALTIES])


def _probe(rows: NDArray[np.bool_], ridge: _Ridge, penalty: float) -> Probe:
    weights = ridge.vt.T @ ridge.along(penalty)
    return Probe(rows, weights, ridge.y_mean - ridge.x_mean @ weights)
