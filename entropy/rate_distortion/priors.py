"""Priors of quantised columns: how probable each whole number of steps is, learned from other rows.

The entropic student (Matsubara et al., arXiv 2108.11898) learns one monotone net per channel as the cumulative distribution c,
and p(z) = c(z + 1/2) - c(z - 1/2). Here nothing is trained: c is a logistic or a Gaussian of fitted place and width, or counts
take its place. The fits and the smoothing of the counts are ours.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from epf.core.extras import needed
from epf.entropy.core.information import FloatArray, IntArray

Prior = Literal["factorised", "logistic", "gaussian"]

LEAST_SCALE = 0.1
"""A width below a tenth of a step is not believed: rows to come may differ more than those that were seen."""


def cells(cumulative: Callable[[FloatArray], FloatArray], edges: FloatArray, place: float, scale: float) -> FloatArray:
    """Probability of each of the k cells between k - 1 ascending edges, ``(k,)``; the outer ones reach to infinity.

    ``cumulative`` is that of a distribution that is symmetric about 0. Beyond its middle the differences are taken on the other
    side, where they do not vanish.
    """
    z = np.concatenate(([-np.inf], (edges - place) / scale, [np.inf]))
    low, high = z[:-1], z[1:]
    mirrored = low > 0
    return np.asarray(
        cumulative(np.where(mirrored, -low, high)) - cumulative(np.where(mirrored, -high, low)),
    )


def logistic(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Cells of the logistic distribution with the median and the mean absolute deviation, 2 s ln 2, of the values ``(n,)``."""
    place = float(np.median(values))
    scale = float(np.abs(values - place).mean()) / (2 * np.log(2))
    return cells(needed("scipy.special", "entropy").expit, edges, place, max(scale, LEAST_SCALE))


def gaussian(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Cells of the Gaussian with the mean and the standard deviation of the values."""
    return cells(needed("scipy.special", "entropy").ndtr, edges, float(values.mean()), max(float(values.std()), LEAST_SCALE))


def factorised(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Counts of the cells, the rest by the logistic prior.

    Of n values in t different cells, what has not been seen gets t / (n + t), the rule of Witten and Bell (1991). So where
    steps are fine and hardly a cell is hit twice, this is the logistic prior at the cost of a bit.
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
    """Probability of each whole number from ``low`` to ``high``, by values ``(n,)`` in steps; the ends take what is beyond."""
    return PRIORS[prior](values, np.arange(low, high, dtype=np.float64) + 0.5)


def rounded(values: FloatArray) -> IntArray:
    """Whole numbers of steps; halves go up, as the cells have them."""
    return np.floor(values + 0.5).astype(np.intp)
