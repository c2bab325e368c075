"""Resampling schemes: draw ancestors so that particle i is chosen m * weights[i] times in expectation.

Every scheme is a function ``(weights (n,), m, rng) -> ancestors (m,)`` that never touches particles. All schemes are unbiased,
none is noisier than multinomial in any single count, and none ever draws a particle of zero weight: positions are looked up in
the cumulative sum with a strict comparison, and a position beyond a cumulative sum that rounding left below 1 belongs to the
last particle with a positive weight (Douc, Cappe & Moulines 2005; Chopin & Papaspiliopoulos 2020, chapter 9).
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from epf.search.smc.weights import FloatArray, IntArray

Scheme = Literal["systematic", "stratified", "residual", "multinomial"]
Resampler = Callable[[ArrayLike, int, np.random.Generator], IntArray]


def systematic(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """One uniform shifts a regular grid of m positions (Kitagawa 1996). Counts differ from m * weight by less than 1."""
    w = _checked(weights, m)
    return _inverse_cdf(w, (np.arange(m) + rng.random()) / m)


def stratified(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """One uniform position in each of m equal strata (Kitagawa 1996)."""
    w = _checked(weights, m)
    return _inverse_cdf(w, (np.arange(m) + rng.random(m)) / m)


def residual(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """floor(m * weight) copies of each particle, and the rest multinomially from what is left (Liu & Chen 1998)."""
    w = _checked(weights, m)
    copies = np.floor(m * w).astype(np.intp)
    sure = np.repeat(np.arange(w.size), copies)
    n_left = m - sure.size
    if n_left <= 0:
        return sure[:m]
    left = m * w - copies
    return np.concatenate([sure, multinomial(left / left.sum(), n_left, rng)])


def multinomial(weights: ArrayLike, m: int, rng: np.random.Generator) -> IntArray:
    """Independent draws, in ascending order (Gordon, Salmond & Smith 1993)."""
    w = _checked(weights, m)
    return _inverse_cdf(w, np.sort(rng.random(m)))


RESAMPLERS: Final[dict[Scheme, Resampler]] = {
    "systematic": systematic,
    "stratified": stratified,
    "residual": residual,
    "multinomial": multinomial,
}


def _checked(weights: ArrayLike, m: int) -> FloatArray:
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
