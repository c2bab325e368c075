"""Intervals of means over problems, by a bootstrap that resamples whole problems, and verdicts on differences.

The seeds of one problem are not independent evidence, so a problem enters with its mean over seeds. Two artificial problems,
one at each end of the scale, join every resampling (the bootstrap's form of the pseudo-counts of Agresti and Coull, and of
Agresti and Min for pairs). Without them, twenty right answers out of twenty would have an interval of zero width, and four
problems that only one of two methods solves would already count as a difference. All means use the same resamplings, which
makes comparisons paired.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LEVEL = 0.95
N_RESAMPLES = 4000

Verdict = Literal["tie", "better", "worse"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over problems and its interval."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Verdict on a difference: a tie if the interval contains zero."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "tie"


def accuracy(values: FloatArray) -> Interval:
    """Interval of the mean of shares in [0, 1], ``(problems,)``."""
    return _interval(values, 0.0, 1.0)


def difference(values: FloatArray) -> Interval:
    """Interval of the mean of differences between such shares, problem by problem, ``(problems,)``."""
    return _interval(values, -1.0, 1.0)


def _interval(values: FloatArray, low: float, high: float) -> Interval:
    """The mean is that of ``values`` alone; at an end of the scale it may lie on the edge of its interval."""
    means = _shares(values.size + 2) @ np.append(values, (low, high))
    mean, tail = float(values.mean()), 100 * (1 - LEVEL) / 2
    lowest, highest = np.percentile(means, (tail, 100 - tail))
    return Interval(mean, min(mean, float(lowest)), max(mean, float(highest)))


@lru_cache(maxsize=4)
def _shares(n: int) -> FloatArray:
    """Share of each of ``n`` problems in each resampling, ``(N_RESAMPLES, n)``; the same for all means over ``n`` problems."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES) / n
