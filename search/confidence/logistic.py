"""Logistic regression on named features, small enough to read: one weight and one mean for each feature."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1e-3
"""Weight of the squared standardised coefficients in the mean log loss; it matters only where features say nearly the same."""

ITERATIONS = 100
TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted probability: ``sigmoid(bias + sum of weight * (value - mean))``.

    Attributes:
        bias: log odds where every feature has its mean.
        weights, means: by the name of the feature. A feature without a value counts as its mean.
    """

    bias: float
    weights: Mapping[str, float]
    means: Mapping[str, float]

    def __call__(self, values: Mapping[str, float]) -> float:
        """Return the probability for the values of the features."""
        z = self.bias + math.fsum(w * (values[name] - self.means[name]) for name, w in self.weights.items() if name in values)
        return 0.5 * (1 + math.tanh(0.5 * z))


def fit_logistic(
    rows: Sequence[Mapping[str, float]], is_true: Sequence[bool], weights: Sequence[float], signs: Mapping[str, int]
) -> Logistic:
    """Fit by maximum likelihood.

    Args:
        rows: values of the features, ``(n,)``; a missing one counts as the mean of the others.
        is_true: what the probability is for, ``(n,)``, with at least one true and one false.
        weights: how much each row counts, ``(n,)``, above 0.
        signs: the features, and the sign that the weight of each must have: 1, -1, or 0 for either. A feature whose weight
            would have the other sign is left out, the worst one first, so that more evidence never lowers a probability.

    Raises:
        ValueError: all labels are the same.
    """
    y, share = np.asarray(is_true, np.float64), np.asarray(weights, np.float64)
    if len(np.unique(y)) < 2:
        raise ValueError("labels must be true or false, with at least one of each.")
    share = share / share.sum()
    names = [name for name in signs if any(name in row for row in rows)]
    x = np.array([[row.get(name, np.nan) for name in names] for row in rows], np.float64).reshape(len(rows), len(names))
    known = ~np.isnan(x)
    means = np.array([np.average(column[there], weights=share[there]) for column, there in zip(x.T, known.T, strict=True)])
    x = np.where(known, x - means, 0.0)
    scale = np.sqrt(share @ x**2)
    kept = [i for i in range(len(names)) if scale[i] > 0]
    while True:
        bias, found = _newton(x[:, kept] / scale[kept], y, share)
        wrong = [(signs[names[i]] * weight, i) for weight, i in zip(found, kept, strict=True)]
        worst, i = min(wrong, default=(0.0, 0))
        if worst >= 0:
            break
        kept.remove(i)
    return Logistic(
        float(bias),
        {names[i]: float(weight / scale[i]) for weight, i in zip(found, kept, strict=True)},
        {names[i]: float(means[i]) for i in kept},
    )


def _newton(x: Floats, y: Floats, share: Floats) -> tuple[float, Floats]:
    """Minimise the weighted mean log loss with the ridge, by Newton's method with halved steps where it overshoots."""
    z = np.column_stack([np.ones(len(y)), x])
    ridge = np.diag([1e-9, *[RIDGE] * x.shape[1]])

    def loss(w: Floats) -> float:
        line = z @ w
        return float(share @ (np.logaddexp(0, line) - y * line) + 0.5 * w @ ridge @ w)

    w = np.zeros(z.shape[1])
    for _ in range(ITERATIONS):
        q = 0.5 * (1 + np.tanh(0.5 * (z @ w)))
        gradient = z.T @ (share * (q - y)) + ridge @ w
        step = np.linalg.solve((z.T * (share * q * (1 - q))) @ z + ridge, gradient)
        while loss(w - step) > loss(w) and np.abs(step).max() > TOLERANCE:
            step = step / 2
        w = w - step
        if np.abs(step).max() < TOLERANCE:
            break
    return float(w[0]), w[1:]
