"""Priors of quantised columns: the probability of each integer number of steps, learned from other rows.

The entropic student (Matsubara et al., arXiv 2108.11898) learns one monotone net per channel as the cumulative distribution c,
and p(z) = c(z + 1/2) - c(z - 1/2). Here nothing is trained: c is a logistic or Gaussian distribution with fitted location and
scale, or counts replace it. The fits and the smoothing of the counts are ours.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from epf.core.extras import import_extra
from epf.entropy.core.information import FloatArray, IntArray

Prior = Literal["factorised", "logistic", "gaussian"]

LEAST_SCALE = 0.1
"""Minimum scale in steps, because new rows may differ more than the known ones."""


def cells(cumulative: Callable[[FloatArray], FloatArray], edges: FloatArray, location: float, scale: float) -> FloatArray:
    """Probability of each of the k cells between k - 1 ascending edges, ``(k,)``; the outer cells extend to infinity.

    ``cumulative`` belongs to a distribution that is symmetric about 0. Above 0, differences are taken at the mirrored points,
    where they do not vanish.
    """
    z = np.concatenate(([-np.inf], (edges - location) / scale, [np.inf]))
    low, high = z[:-1], z[1:]
    mirrored = low > 0
    return np.asarray(
        cumulative(np.where(mirrored, -low, high)) - cumulative(np.where(mirrored, -high, low)),
    )


def logistic(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Cells of the logistic distribution with the median and the mean absolute deviation, 2 s ln 2, of the values ``(n,)``."""
    location = float(np.median(values))
    scale = float(np.abs(values - location).mean()) / (2 * np.log(2))
    return cells(import_extra("scipy.special", "entropy").expit, edges, location, max(scale, LEAST_SCALE))


def gaussian(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Cells of the Gaussian with the mean and the standard deviation of the values."""
    return cells(
        import_extra("scipy.special", "entropy").ndtr, edges, float(values.mean()), max(float(values.std()), LEAST_SCALE)
    )


def factorised(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Counts of the cells, mixed with the logistic prior.

    With n values in t different cells, the logistic prior has the weight t / (n + t), the rule of Witten and Bell (1991). If
    steps are so fine that hardly any cell has two values, this is the logistic prior at the cost of one bit.
    """
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1)
    t = np.count_nonzero(counts)
    return np.asarray((counts + t * logistic(values, edges)) / (values.size + t))


PRIORS: dict[Prior, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "factorised": factorised,
    "logistic": logistic,
    "gaussian": gaussian,
}


def probabilities(prior: Prior, values: FloatArray, low: int, high: int) -> FloatArray:
    """Probability of each integer from ``low`` to ``high``, given values ``(n,)`` in steps; the end cells are unbounded."""
    return PRIORS[prior](values, np.arange(low, high, dtype=np.float64) + 0.5)


def rounded(values: FloatArray) -> IntArray:
    """Integer numbers of steps; halves are rounded up, consistent with the cells."""
    return np.floor(values + 0.5).astype(np.intp)
