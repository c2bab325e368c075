"""Schedules of the resampling temperature: they flatten the weights while the filter knows little.

Resampling draws from softmax(log_weights / temperature). A schedule maps log weights ``(n,)``, the progress t / T with T the
horizon, and the ``threshold`` (a fraction of n) to a temperature >= 1. :func:`temperature` applies the schedule only while the
effective sample size is below ``threshold * n`` and progress is below ``early_phase``, as entropic annealing does; otherwise,
and with fewer than two living particles, the temperature is 1. Tempering acts on resampling only.

``ess`` is the entropic annealing of the ePF paper (arXiv 2510.05825) as others report it; the full text of the paper was not
available to us.
``entropy`` and ``base`` are the alternatives of the its_hub library; gating them in the same way and normalising the entropy
for every n > 1 is ours, as is the use of a conditional effective sample size as the temperature's rule in ``cess``.
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np

from epf.search.smc.weights import FloatArray, entropy, ess

Schedule = Literal["ess", "entropy", "base", "cess", "none"]

MAX_TEMPERATURE = 1e6
"""Log odds lie within +-16.1, so weights at this temperature are equal to within 1e-4."""

_BISECTIONS = 50


def temperature(schedule: Schedule, log_weights: FloatArray, progress: float, *, threshold: float, early_phase: float) -> float:
    """Temperature >= 1 at which to resample particles with these log weights ``(n,)`` at this progress t / T > 0."""
    progress = min(progress, 1.0)
    n_alive = int(np.isfinite(log_weights).sum())
    if n_alive < 2 or progress >= early_phase or ess(log_weights) >= threshold * log_weights.size:
        return 1.0
    return min(max(1.0, SCHEDULES[schedule](log_weights, progress, threshold)), MAX_TEMPERATURE)


def by_ess(log_weights: FloatArray, progress: float, threshold: float) -> float:
    """(n / ESS) (1 - t/T)."""
    return log_weights.size / ess(log_weights) * (1.0 - progress)


def by_entropy(log_weights: FloatArray, progress: float, threshold: float) -> float:
    """1 / (H + (1 - H) t/T) with H the entropy of the weights over log n, in [0, 1]."""
    h = entropy(log_weights) / float(np.log(log_weights.size))
    return 1.0 / max(h + (1.0 - h) * progress, 1.0 / MAX_TEMPERATURE)


def by_progress(log_weights: FloatArray, progress: float, threshold: float) -> float:
    """2 - t/T, regardless of the weights."""
    return 2.0 - progress


def by_conditional_ess(log_weights: FloatArray, progress: float, threshold: float) -> float:
    """Temperature closest to 1 at which the conditional ESS is at least ``threshold`` times the number of living particles.

    Reweighting equally weighted particles by w^(1 / temperature) has conditional ESS (sum w^b)^2 / sum w^(2b), b = 1 /
    temperature (Zhou, Johansen & Aston 2016, with equal previous weights). It falls as b grows, so b is found by bisection.
    """
    goal = threshold * float(np.isfinite(log_weights).sum())
    if ess(log_weights) >= goal:
        return 1.0
    low, high = 1.0 / MAX_TEMPERATURE, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        if ess(log_weights * middle) >= goal:
            low = middle
        else:
            high = middle
    return 1.0 / low


def never(log_weights: FloatArray, progress: float, threshold: float) -> float:
    """1: plain particle filtering."""
    return 1.0


SCHEDULES: Final[dict[Schedule, Callable[[FloatArray, float, float], float]]] = {
    "ess": by_ess,
    "entropy": by_entropy,
    "base": by_progress,
    "cess": by_conditional_ess,
    "none": never,
}
