"""Weights of a particle set, kept in log space.

A set of ``n`` particles has unnormalised log weights ``(n,)``. A dead particle has -inf; NaN and +inf are bugs of the caller
and are refused, never repaired. A set in which every weight is -inf is a defined case: its normalised weights are all zero, its
effective sample size and entropy are 0, its log mean is -inf.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

CLIP = 1e-7
"""Minimum distance of a clipped score from 0 and 1, so that log odds stay within +-16.1."""


def logit(probability: ArrayLike) -> FloatArray:
    """Log odds log(r / (1 - r)) of probabilities clipped to [1e-7, 1 - 1e-7], elementwise. Raises ``ValueError`` for NaN."""
    r = np.asarray(probability, dtype=np.float64)
    if np.isnan(r).any():
        raise ValueError("a probability is NaN")
    r = np.clip(r, CLIP, 1.0 - CLIP)
    return np.asarray(np.log(r) - np.log1p(-r))


def checked(log_weights: ArrayLike) -> FloatArray:
    """Log weights as a float array ``(n,)`` with n >= 1, each finite or -inf; raises ``ValueError`` otherwise."""
    lw = np.asarray(log_weights, dtype=np.float64)
    if lw.ndim != 1 or lw.size == 0:
        raise ValueError(f"log weights must have shape (n,) with n >= 1, got {lw.shape}")
    if np.isnan(lw).any() or np.isposinf(lw).any():
        raise ValueError("log weights must be finite or -inf")
    return lw


def log_sum(log_weights: ArrayLike) -> float:
    """Log of the sum of the weights, shifted by their maximum so that nothing overflows; -inf if all weights are zero."""
    lw = checked(log_weights)
    top = lw.max()
    if np.isneginf(top):
        return -np.inf
    return float(top + np.log(np.exp(lw - top).sum()))


def log_mean(log_weights: ArrayLike) -> float:
    """Log of the mean weight; -inf if all weights are zero."""
    lw = checked(log_weights)
    return log_sum(lw) - float(np.log(lw.size))


def normalise(log_weights: ArrayLike) -> FloatArray:
    """Weights ``(n,)`` proportional to exp(log_weights) that sum to one; all zero if every log weight is -inf."""
    lw = checked(log_weights)
    top = lw.max()
    if np.isneginf(top):
        return np.zeros_like(lw)
    weights = np.exp(lw - top)
    return np.asarray(weights / weights.sum())


def log_normalised(log_weights: ArrayLike) -> FloatArray:
    """Log weights ``(n,)`` shifted so that the weights sum to one, unchanged if every log weight is -inf."""
    lw, total = checked(log_weights), log_sum(log_weights)
    return lw if np.isneginf(total) else lw - total


def ess(log_weights: ArrayLike) -> float:
    """Effective sample size 1 / sum p^2 of p = softmax(log_weights) (Kong, Liu & Wong 1994), in [1, n]; 0 if all are -inf."""
    p = normalise(log_weights)
    if not p.any():
        return 0.0
    return float(np.clip(1.0 / np.square(p).sum(), 1.0, p.size))


def entropy(log_weights: ArrayLike) -> float:
    """Shannon entropy of softmax(log_weights) in nats, in [0, log n]; 0 if all are -inf."""
    p = normalise(log_weights)
    p = p[p > 0]
    return max(0.0, float(-(p * np.log(p)).sum()))
