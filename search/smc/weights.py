"""Weights of a particle set, kept in log space, and the schemes that resample by them.

A set of ``n`` particles has unnormalised log weights ``(n,)``. A dead particle has -inf; NaN and +inf are bugs of the caller
and are refused, never repaired. A set in which every weight is -inf is a defined case: its normalised weights are all zero, its
effective sample size and entropy are 0, its log mean is -inf.

A resampling scheme is a function ``(weights (n,), m, rng) -> ancestors (m,)`` that draws particle i m * weights[i] times in
expectation and never touches particles. All schemes are unbiased, none is noisier than multinomial in any single count, and
none ever draws a particle of zero weight: positions are looked up in the cumulative sum with a strict comparison, and a
position beyond a cumulative sum that rounding left below 1 belongs to the last particle with a positive weight (Douc, Cappe &
Moulines 2005; Chopin & Papaspiliopoulos 2020, chapter 9).
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
Scheme = Literal["systematic", "stratified", "residual", "multinomial"]
Resampler = Callable[[ArrayLike, int, np.random.Generator], IntArray]

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
    if not (lw < np.inf).all():  # false for NaN, too
        raise ValueError("log weights must be finite or -inf")
    return lw


def log_sum(log_weights: ArrayLike) -> float:
    """Log of the sum of the weights, shifted by their maximum so that nothing overflows; -inf if all weights are zero."""
    lw = checked(log_weights)
    top = lw.max()
    if top == -np.inf:
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
    if top == -np.inf:
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
    return min(max(1.0 / float(np.square(p).sum()), 1.0), float(p.size))


def entropy(log_weights: ArrayLike) -> float:
    """Shannon entropy of softmax(log_weights) in nats, in [0, log n]; 0 if all are -inf."""
    p = normalise(log_weights)
    p = p[p > 0]
    return max(0.0, float(-(p * np.log(p)).sum()))


def systematic(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """One uniform shifts a regular grid of m positions (Kitagawa 1996). Counts differ from m * weight by less than 1."""
    w = _checked_weights(weights, m)
    return _inverse_cdf(w, (np.arange(m) + rng.random()) / m)


def stratified(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """One uniform position in each of m equal strata (Kitagawa 1996)."""
    w = _checked_weights(weights, m)
    return _inverse_cdf(w, (np.arange(m) + rng.random(m)) / m)


def residual(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """floor(m * weight) copies of each particle, and the rest multinomially from what is left (Liu & Chen 1998)."""
    w = _checked_weights(weights, m)
    copies = np.floor(m * w).astype(np.intp)
    sure = np.repeat(np.arange(w.size), copies)
    n_left = m - sure.size
    if n_left <= 0:
        return sure[:m]
    left = m * w - copies
    return np.concatenate([sure, multinomial(left / left.sum(), n_left, rng)])


def multinomial(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """Independent draws, in ascending order (Gordon, Salmond & Smith 1993)."""
    w = _checked_weights(weights, m)
    return _inverse_cdf(w, np.sort(rng.random(m)))


RESAMPLERS: Final[dict[Scheme, Resampler]] = {
    "systematic": systematic,
    "stratified": stratified,
    "residual": residual,
    "multinomial": multinomial,
}


def _checked_weights(weights: ArrayLike, m: int) -> FloatArray:
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 1 or w.size == 0 or m < 1:
        raise ValueError(f"resampling needs weights (n,) with n >= 1 and m >= 1, got shape {w.shape} and m = {m}")
    if not np.isfinite(w).all() or (w < 0).any():
        raise ValueError("weights must be finite and not negative")
    if abs(w.sum() - 1.0) > 1e-6:
        raise ValueError(f"weights must sum to one, got {w.sum()}")
    return w


def _inverse_cdf(weights: FloatArray, positions: FloatArray) -> IntArray:
    cumulative = np.cumsum(weights)
    chosen = np.searchsorted(cumulative, positions, side="right")
    return np.asarray(np.minimum(chosen, np.flatnonzero(weights)[-1]))
