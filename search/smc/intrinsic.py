"""Weights from the language model's own uncertainty, without a reward model.

The entropy of the next token, averaged over a step's tokens, is estimated from the tokens that were sampled: the mean of their
negative log probabilities. At temperature 1 and ``top_p`` 1 this is unbiased; else it estimates a cross-entropy, that of the
model at temperature 1 under what was sampled from.
"""

from collections.abc import Sequence

import numpy as np

from epf.search.smc.weights import CLIP, BoolArray, FloatArray


def step_entropy(log_probs: Sequence[float]) -> float:
    """Estimate in nats per token, in [0, 16.1], from one or more log probabilities, each clipped; NaN is the lowest."""
    values = np.nan_to_num(np.asarray(log_probs, dtype=np.float64), nan=-np.inf)
    return float(-np.clip(values, np.log(CLIP), 0.0).mean())


def log_potentials(entropies: FloatArray, moved: BoolArray, zscore: bool) -> FloatArray:
    """Log potentials ``(n,)`` of a round: for particles that moved the negative entropy or its negative z-score, for others 0.

    Entropies that do not differ have a z-score of 0.
    """
    if not zscore or not moved.any():
        return np.where(moved, -entropies, 0.0)
    centred = entropies - entropies[moved].mean()
    spread = entropies[moved].std()
    return np.where(moved & (spread > 1e-12), -centred / max(spread, 1e-12), 0.0)
