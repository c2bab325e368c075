"""A reader of vectors: linear, by ridge regression whose penalty needs no further data.

The penalty is the one of least generalised cross-validation error (Golub, Heath and Wahba 1979).
"""

from dataclasses import dataclass

import numpy as np

from entropy.core import FloatArray

PENALTIES = np.logspace(-8, 2, 41)
"""Relative to the largest squared singular value."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Reads ``(n, d)`` as ``(n, k)``.

    Attributes:
        weights: ``(d, k)``.
        offset: ``(k,)``.
    """

    weights: FloatArray
    offset: FloatArray

    def read(self, x: FloatArray) -> FloatArray:
        """Predictions, ``(n, k)``."""
        return np.asarray(x @ self.weights + self.offset)


def fitted(x: FloatArray, y: FloatArray) -> Probe:
    """The probe that reads vectors ``(n, d)`` as targets ``(n, k)``. O(n d min(n, d))."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    u, s, vt = np.linalg.svd(x - x_mean, full_matrices=False)
    if s.size == 0 or s[0] == 0:
        return Probe(np.zeros((x.shape[1], y.shape[1])), y_mean)
    told = u.T @ (y - y_mean)
    kept = s**2 / (s**2 + PENALTIES[:, None] * s[0] ** 2)
    squares = (told**2).sum(axis=1)
    left = ((y - y_mean) ** 2).sum() - (kept * (2 - kept)) @ squares
    free = len(x) - 1 - kept.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(free > 1e-9, left / free**2, np.inf)
    penalty = PENALTIES[int(np.argmin(error))] * s[0] ** 2
    weights = vt.T @ ((s / (s**2 + penalty))[:, None] * told)
    return Probe(weights, y_mean - x_mean @ weights)
