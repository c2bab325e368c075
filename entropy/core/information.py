"""Entropies, divergences and Hill numbers, on which all tools are built.

Everything is computed in nats and converted to the requested unit last. A distribution is the last axis of an array
``(..., k)``. These functions check nothing; :mod:`epf.entropy.core.checks` validates input before it gets here.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

Unit = Literal["nats", "bits"]
"""Unit of information: nats (natural logarithm) or bits (base 2)."""

_PER_NAT = {"nats": 1.0, "bits": 1.0 / np.log(2.0)}


def in_unit(nats: ArrayLike, unit: Unit) -> FloatArray:
    """Converts information from nats to ``unit``; same shape."""
    return np.asarray(np.asarray(nats, dtype=np.float64) * _PER_NAT[unit])


def p_log_p(p: ArrayLike) -> FloatArray:
    """Returns p ln p elementwise, 0 at p = 0."""
    p = np.asarray(p, dtype=np.float64)
    return np.asarray(p * np.log(np.where(p > 0, p, 1.0)))


def entropy(p: ArrayLike) -> FloatArray:
    """Shannon entropy in nats, ``(...)``, of distributions ``(..., k)``; in [0, ln k]."""
    return np.asarray(np.maximum(0.0, -p_log_p(p).sum(axis=-1)))


def entropy_of_counts(counts: ArrayLike, *, miller_madow: bool = False) -> float:
    """Plug-in entropy in nats of counts ``(k,)``, zeros allowed; 0 if there are no counts at all.

    The plug-in estimate is too low by about (s - 1) / 2n for n counts on s values; ``miller_madow`` adds this back
    (Miller 1955).
    """
    c = np.asarray(counts, dtype=np.float64)
    c = c[c > 0]
    n = c.sum()
    if c.size <= 1:
        return 0.0
    plug_in = max(0.0, float(np.log(n) - (c * np.log(c)).sum() / n))
    return plug_in + (c.size - 1) / (2.0 * float(n)) if miller_madow else plug_in


def kl(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Kullback-Leibler divergence KL(p || q) in nats, ``(...)``; inf where p has mass and q has none."""
    p, q = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64))
    with np.errstate(divide="ignore"):
        log_q = np.log(q)
    cross = np.where(p > 0, p * np.where(p > 0, log_q, 0.0), 0.0)
    return np.asarray(np.maximum(0.0, (p_log_p(p) - cross).sum(axis=-1)))


def kl_of_logs(log_p: ArrayLike, log_q: ArrayLike) -> FloatArray:
    """KL(p || q) in nats, ``(...)``, of distributions given by their logarithms; inf where p has mass and q has none.

    Probabilities that are too small for a floating-point number count: q may be exp(-1e9).
    """
    log_p, log_q = np.broadcast_arrays(np.asarray(log_p, dtype=np.float64), np.asarray(log_q, dtype=np.float64))
    both = (log_p > -np.inf) & (log_q > -np.inf)
    terms = np.exp(log_p) * (np.where(both, log_p, 0.0) - np.where(both, log_q, 0.0))
    terms = np.where((log_p > -np.inf) & (log_q == -np.inf), np.inf, terms)
    return np.asarray(np.maximum(0.0, terms.sum(axis=-1)))


def hill(p: ArrayLike, order: float) -> FloatArray:
    """Hill number of ``order`` q >= 0, ``(...)``: the effective number of values, (sum p^q)^(1/(1-q)), in [1, k].

    q = 0 counts the values, q = 1 is exp of the entropy, q = 2 the effective sample size 1 / sum p^2, q = inf is 1 / max p
    (Hill 1973).
    """
    p = np.asarray(p, dtype=np.float64)
    if order == 0:
        return np.asarray((p > 0).sum(axis=-1), dtype=np.float64)
    if order == 1:
        return np.asarray(np.exp(entropy(p)))
    if np.isinf(order):
        return np.asarray(1.0 / p.max(axis=-1))
    # Powers are relative to the largest p, so that a high order does not underflow.
    top = p.max(axis=-1, keepdims=True)
    log_sum = np.log(((p / top) ** order).sum(axis=-1)) + order * np.log(top[..., 0])
    return np.asarray(np.exp(log_sum / (1.0 - order)))


def logsumexp(x: ArrayLike, axis: int = -1) -> FloatArray:
    """Returns ln sum exp along ``axis``, shifted by the maximum to avoid overflow; -inf where all entries are -inf."""
    x = np.asarray(x, dtype=np.float64)
    top = x.max(axis=axis, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(x - shift).sum(axis=axis)) + np.squeeze(shift, axis=axis))


def log_softmax(x: ArrayLike) -> FloatArray:
    """Logarithm of the Gibbs distribution exp(x) / sum exp(x) over the last axis; same shape. x has a finite maximum."""
    x = np.asarray(x, dtype=np.float64)
    # The maximum goes first: added to the logarithm of the sum, a large one would take its digits.
    below = x - x.max(axis=-1, keepdims=True)
    return np.asarray(below - logsumexp(below)[..., None])
