"""An experiment: annealing by the effective number of distinct prefixes instead of distinct particles.

Copies of a particle that write the same next step hold the same prefix. The effective sample size counts them apart, so it
stays high while the search already follows a single way. Here the weights of equal prefixes are added up before they are
squared.
"""

import numpy as np

from epf.search.smc.weights import FloatArray, IntArray


def temperatures(
    log_weights: FloatArray, prefixes: IntArray, progress: float, *, threshold: float, early_phase: float
) -> FloatArray:
    """Temperatures >= 1 at which to draw, ``(i,)``, from log weights and labels of prefixes ``(i, n)``.

    max(1, (n / D)(1 - t/T)) while D < ``threshold`` n and t/T < ``early_phase``, else 1. D = 1 / sum of the squared weights of
    distinct prefixes; it is the effective sample size, as in the schedule ``ess``, if no two prefixes are equal.
    """
    n = log_weights.shape[1]
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    same = prefixes[:, :, None] == prefixes[:, None, :]
    distinct = 1.0 / np.einsum("ij,ijk,ik->i", weights, same.astype(np.float64), weights)
    anneal = (distinct < threshold * n) & (progress < early_phase)
    return np.where(anneal, np.maximum(1.0, n / distinct * (1.0 - progress)), 1.0)
