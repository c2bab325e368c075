"""The effective number of features in a network's hidden states, of answers among samples, or of particles.

Bereska, Tzifa-Kratira, Samavi and Gavves, "Superposition as Lossy Compression" (arXiv 2512.13568, TMLR 2025). Given the codes z
of a sparse autoencoder, samples by features, the share of a feature is its part of all absolute activation,
p_i = sum_s |z_si| / sum_js |z_sj|, and F = exp(-sum p_i ln p_i) is the effective number of features. With N neurons,
psi = F / N is the number of features per neuron: above 1 the representation is lossy, and psi cannot exceed the width of the
autoencoder over N, whatever the states represent. If all activations are zero, there are no shares and F is 0.

F is the Hill number of order 1, so that the same formula counts answers (p: how often each was given) and particles (p: their
weights, where order 2 is the effective sample size). These uses and the intervals are ours. An interval reflects only its
samples: if all samples are alike, it has no width.
"""

from dataclasses import dataclass

import numpy as np

from epf.entropy.core.information import FloatArray, IntArray, entropy, hill

_CHUNK = 4_000_000
"""Number of values in one block of resampled weights."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The effective number of features.

    Attributes:
        shares: p, ``(d,)``; all 0 if no feature is active.
        number: F, in [1, d], or 0 if no feature is active.
        low, high: 95 % interval of F over such samples; None for fewer than two samples.
        active: number of features with any activation, the Hill number of order 0.
        order_2: 1 / sum p^2.
    """

    shares: FloatArray
    number: float
    low: float | None
    high: float | None
    active: int
    order_2: float


def shares_of(mass: FloatArray) -> FloatArray:
    """Shares of activation masses ``(..., d)``; 0 in rows without any mass."""
    total = mass.sum(axis=-1, keepdims=True)
    return np.asarray(mass / np.where(total > 0, total, 1.0))


def effective_features(codes: FloatArray, *, resamples: int, rng: np.random.Generator) -> Effective:
    """Effective number for codes ``(s, d)``, whose samples are resampled for the interval."""
    size = np.abs(codes)
    n = len(size)
    uniform = np.full(n, 1.0 / n)
    entropies = []
    for start in range(0, resamples if n > 1 else 0, step := max(1, _CHUNK // n)):
        times = rng.multinomial(n, uniform, size=min(step, resamples - start))
        entropies.append(entropy(shares_of(np.asarray(times @ size, dtype=np.float64))))
    return _effective(size.sum(axis=0), entropies, float(np.log(size.shape[1])))


def effective_values(counts: IntArray, *, resamples: int, rng: np.random.Generator) -> Effective:
    """Effective number for counts ``(k,)`` of values, one per sample, which are equivalent to one-hot codes."""
    n = int(counts.sum())
    entropies = []
    for start in range(0, resamples if n > 1 else 0, step := max(1, _CHUNK // counts.size)):
        times = rng.multinomial(n, counts / n, size=min(step, resamples - start))
        entropies.append(entropy(times / n))
    return _effective(counts.astype(np.float64), entropies, np.inf)  # unseen values may exist


def _effective(mass: FloatArray, resampled: list[FloatArray], max_entropy: float) -> Effective:
    """The effective number with its basic bootstrap interval, computed on the entropy.

    Resampling lowers the entropy as sampling has lowered it before, which the basic interval corrects. It is extended to
    contain the number itself, which is far too low if few samples have many values.
    """
    p = shares_of(mass)
    active = int((p > 0).sum())
    if active == 0:
        return Effective(p, 0.0, None, None, 0, 0.0)
    h = float(entropy(p))
    low = high = None
    if resampled:
        least, most = 2 * h - np.quantile(np.concatenate(resampled), (0.975, 0.025))
        low, high = float(np.exp(min(h, max(0.0, least)))), float(np.exp(max(h, min(most, max_entropy))))
    return Effective(p, float(np.exp(h)), low, high, active, float(hill(p, 2)))
