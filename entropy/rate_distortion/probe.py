"""A linear probe by ridge regression; the probe of a fold is learned from the other folds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray, IntArray

PENALTIES = np.logspace(-8, 4, 49)
"""Penalties relative to the largest squared singular value; with the largest penalty, predictions are close to the mean."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Predicts ``(n, k)`` from ``(n, d)``.

    Attributes:
        rows: mask of the rows that it predicts, ``(n,)``, which are those that it has not seen.
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
    """All ridge regressions on one set of rows: ``y ~ (x - x_mean) vt' diag(s / (s^2 + penalty)) u' (y - y_mean) + y_mean``."""

    def __init__(self, x: FloatArray, y: FloatArray, least: float) -> None:
        """Learns from ``x`` and ``y``; a direction whose singular value is below ``least`` predicts nothing."""
        self.x_mean, self.y_mean = x.mean(axis=0), y.mean(axis=0)
        u, s, self.vt = np.linalg.svd(x - self.x_mean, full_matrices=False)
        self._s = np.where(s >= least, s, 0.0)
        self._projected_y = u.T @ (y - self.y_mean)

    def along(self, penalty: float) -> FloatArray:
        """Weights along the singular directions, ``(r, k)``."""
        whole = self._s**2 + penalty * self._s.max(initial=0.0) ** 2
        return np.asarray(np.divide(self._s, whole, out=np.zeros_like(self._s), where=whole > 0)[:, None] * self._projected_y)


def probes(x: FloatArray, y: FloatArray, folds: IntArray) -> list[Probe]:
    """One probe per fold ``(n,)`` that predicts targets ``(n, k)`` from vectors ``(n, d)``. O(n d min(n, d)).

    All folds share the penalty with the smallest squared error on the rows that a probe has not seen.
    """
    # Rows that differ less than the digits of the other rows would have weights without a bound.
    least = float(np.finfo(np.float64).eps * np.abs(x).max())
    ridges = [(folds == fold, _Ridge(x[folds != fold], y[folds != fold], least)) for fold in np.unique(folds)]
    penalty = float(PENALTIES[int(np.argmin(sum(_errors(x[rows], y[rows], ridge) for rows, ridge in ridges)))])
    return [_probe(rows, ridge, penalty) for rows, ridge in ridges]


def _errors(x: FloatArray, y: FloatArray, ridge: _Ridge) -> FloatArray:
    """Sum of squared errors at each penalty."""
    projected, wanted = (x - ridge.x_mean) @ ridge.vt.T, y - ridge.y_mean
    return np.array([((projected @ ridge.along(penalty) - wanted) ** 2).sum() for penalty in PENALTIES])


def _probe(rows: NDArray[np.bool_], ridge: _Ridge, penalty: float) -> Probe:
    weights = ridge.vt.T @ ridge.along(penalty)
    return Probe(rows, weights, ridge.y_mean - ridge.x_mean @ weights)
