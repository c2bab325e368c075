"""Maximum entropy: the least committal distribution that has given means.

After Rogers, Beck and Rempe, "Information Theory and Statistical Mechanics Revisited" (arXiv 1105.5662), of which only the
abstract was at hand; what is computed here is the standard calculus (Jaynes 1957) that it builds on. Over n rows with features
f_ik and a prior measure m_i, among all p with means sum_i p_i f_ik = F_k the one that adds least to the prior is the Gibbs law

    p_i = m_i exp(-sum_k l_k f_ik) / Z,    l = argmin ln Z(l) + l.F,

a smooth convex problem without constraints, the dual. Then S = ln Z + l.F is the entropy relative to m, which for m = 1 is
Shannon's and for a distribution m is -KL(p || m); d ln Z / d l_k = -<f_k>; and the response of the means to the multipliers is
their fluctuation, d<f_j> / d l_k = -Cov(f_j, f_k). The free energy of p is -ln Z, that of another law q higher by KL(q || p),
in units of temperature.

The resampling of a particle filter by exp(score / temperature) is such a law, with the score as feature and multiplier
-1 / temperature. What counts as out of reach, and scaling the features before solving, is ours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from epf.core.extras import needed
from epf.entropy.core.checks import refuse
from epf.entropy.core.information import FloatArray, log_softmax, logsumexp

TOLERANCE = 1e-9
"""So near to the targets do the means come, in units of the largest distance of a row's feature from its target."""

STEEP = 16.0
"""Log weights that differ by more may be those of a target on the edge, which no finite multipliers reach."""


@dataclass(frozen=True, slots=True)
class Gibbs:
    """A Gibbs law.

    Attributes:
        weights: p, ``(n,)``.
        multipliers: l, ``(k,)``.
        log_z: ln Z in nats.
        means: of the features, ``(k,)``.
        covariance: of the features, ``(k, k)``: minus the response of means to multipliers.
        entropy: S relative to the prior measure, in nats.
    """

    weights: FloatArray
    multipliers: FloatArray
    log_z: float
    means: FloatArray
    covariance: FloatArray
    entropy: float


def gibbs(features: FloatArray, multipliers: FloatArray, log_prior: FloatArray) -> Gibbs:
    """The law of features ``(n, k)`` with these multipliers; ``log_prior``, ``(n,)``, may be -inf, but not everywhere."""
    # About their mean, so that large features that differ little lose no digits.
    middle = features.mean(axis=0)
    log_weights = log_prior - (features - middle) @ multipliers
    weights, log_z = np.exp(log_softmax(log_weights)), float(logsumexp(log_weights) - middle @ multipliers)
    means, covariance = _moments(features, weights)
    return Gibbs(weights, multipliers, log_z, means, covariance, entropy=log_z + float(multipliers @ means))


def _moments(features: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    means = weights @ features
    centred = features - means
    return means, np.asarray((centred * weights[:, None]).T @ centred)


def maxent(features: FloatArray, targets: FloatArray, log_prior: FloatArray) -> Gibbs:
    """The Gibbs law of features ``(n, k)`` whose means are ``targets``, ``(k,)``, NaN for a feature that is not constrained.

    Where features depend linearly on each other, multipliers are those of least norm.

    Raises:
        InvalidRequest: no distribution has these means, or only one that leaves out rows, which multipliers would have to be
            infinite for; ``targets.K`` is named if one alone is out of reach.
        NotInstalled: scipy is missing.
    """
    allowed, wanted = np.isfinite(log_prior), np.isfinite(targets)
    away = features[allowed] - targets
    _check_each(away, targets)
    multipliers = np.zeros(targets.size)
    if wanted.any():
        scale = np.abs(away[:, wanted]).max(axis=0)
        scale[scale == 0] = 1.0
        scaled, prior = away[:, wanted] / scale, log_prior[allowed]
        solved = _solve(scaled, prior)
        reached, _ = _moments(scaled, np.exp(log_softmax(prior - scaled @ solved)))
        if np.abs(reached).max() > TOLERANCE or np.ptp(scaled @ solved) > STEEP:
            _check_together(scaled)
        multipliers[wanted] = solved / scale
    return gibbs(features, multipliers, log_prior)


def _check_each(away: FloatArray, targets: FloatArray) -> None:
    """Refuse a target that is not strictly between the least and the greatest value of its feature."""
    low, high = away.min(axis=0), away.max(axis=0)
    for (k,) in np.argwhere(((low >= 0) | (high <= 0)) & ((low < high) | (low != 0)))[:1]:
        span = f"lies between {targets[k] + low[k]:.6g} and {targets[k] + high[k]:.6g}"
        raise refuse(f"targets.{k}", f"is {targets[k]:.6g}, but its feature {span}", "give a mean strictly between")


def _solve(scaled: FloatArray, log_prior: FloatArray) -> FloatArray:
    """Multipliers that bring the means of the scaled features, ``(n, k)``, to zero, or as near as it gets."""

    def dual(multipliers: FloatArray) -> tuple[float, FloatArray]:
        log_weights = log_prior - scaled @ multipliers
        return float(logsumexp(log_weights)), -(np.exp(log_softmax(log_weights)) @ scaled)

    def curvature(multipliers: FloatArray) -> FloatArray:
        return _moments(scaled, np.exp(log_softmax(log_prior - scaled @ multipliers)))[1]

    optimize = needed("scipy.optimize", "entropy")
    found: Any = optimize.minimize(
        dual,
        np.zeros(scaled.shape[1]),
        jac=True,
        hess=curvature,
        method="trust-exact",
        options={"gtol": TOLERANCE / 10, "maxiter": 500, "max_trust_radius": 1e4},
    )
    # The last digits: the solver judges a step by the dual itself, which near its minimum is flat within rounding.
    multipliers = np.asarray(found.x, dtype=np.float64)
    for _ in range(2):
        gradient = dual(multipliers)[1]
        step = np.linalg.lstsq(curvature(multipliers), gradient, rcond=1e-12)[0]
        if np.abs(dual(multipliers - step)[1]).max() < np.abs(gradient).max():
            multipliers = multipliers - step
    return multipliers


def _check_together(scaled: FloatArray) -> None:
    """Refuse targets that no law reaches which leaves every row some weight.

    A linear program: rows that lie about the origin in ``scaled``, ``(n, k)``, average to it with weights of at least t each;
    t is made as large as can be.
    """
    optimize = needed("scipy.optimize", "entropy")
    n = len(scaled)
    constraints = np.vstack([np.hstack([scaled.T, scaled.sum(axis=0)[:, None]]), np.append(np.ones(n), n)])
    objective = np.zeros(n + 1)
    objective[-1] = -1.0
    found: Any = optimize.linprog(objective, A_eq=constraints, b_eq=np.append(np.zeros(scaled.shape[1]), 1.0), method="highs")
    if found.x is None:
        raise refuse("targets", "cannot hold all at once for any weights of these rows", "give means that go together")
    if found.x[-1] * n < TOLERANCE:
        raise refuse("targets", "lie on the edge of what these rows allow, where multipliers are infinite", "move them inwards")
