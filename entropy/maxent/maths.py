"""Maximum entropy: the least committal distribution with given means.

Following Rogers, Beck and Rempe, "Information Theory and Statistical Mechanics Revisited" (arXiv 1105.5662), of which we could
read only the abstract; the code implements the standard calculus (Jaynes 1957) that the paper builds on. There are n rows with
features f_ik and a prior measure m_i. Among all p with means sum_i p_i f_ik = F_k, the one that adds least to the prior is the
Gibbs distribution

    p_i = m_i exp(-sum_k l_k f_ik) / Z,    l = argmin ln Z(l) + l.F,

where the minimum, the dual, is a smooth convex problem without constraints. Then S = ln Z + l.F is the entropy relative to m,
which is Shannon's entropy for m = 1 and -KL(p || m) for a distribution m; d ln Z / d l_k = -<f_k>; and the response of the
means to the multipliers is their fluctuation, d<f_j> / d l_k = -Cov(f_j, f_k). The free energy of p is -ln Z, in units of
temperature; that of another distribution q is higher by KL(q || p).

If the features depend linearly on each other up to a constant, sum_k v_k f_ik = c in all rows, then l + v gives the same
weights: p and S are unique, but l, and for c != 0 also ln Z, are not.

The resampling of a particle filter by exp(score / temperature) is such a distribution, with the score as feature and multiplier
-1 / temperature. The criterion for unreachable means, and scaling the features before solving, is ours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from epf.core.extras import import_extra
from epf.entropy.core.checks import refuse
from epf.entropy.core.information import FloatArray, log_softmax, logsumexp

TOLERANCE = 1e-9
"""Maximum error of a mean, in units of the largest distance between a row's feature and its target."""

STEEP = 16.0
"""If log weights differ by more, the target may be on the edge, where multipliers are infinite."""


@dataclass(frozen=True, slots=True)
class Gibbs:
    """A Gibbs distribution.

    Attributes:
        weights: p, ``(n,)``.
        log_weights: ln p, ``(n,)``, finite where p is too small for a floating-point number.
        multipliers: l, ``(k,)``.
        log_z: ln Z in nats.
        means: means of the features, ``(k,)``.
        covariance: covariance of the features, ``(k, k)``: minus the response of the means to the multipliers.
        entropy: S relative to the prior measure, in nats.
    """

    weights: FloatArray
    log_weights: FloatArray
    multipliers: FloatArray
    log_z: float
    means: FloatArray
    covariance: FloatArray
    entropy: float


def gibbs(features: FloatArray, multipliers: FloatArray, log_prior: FloatArray) -> Gibbs:
    """The distribution of features ``(n, k)`` with these multipliers; ``log_prior``, ``(n,)``, has a finite entry."""
    # Features are centred, so that large values with small differences lose no digits.
    centre = features.mean(axis=0)
    tilted = log_prior - (features - centre) @ multipliers
    log_weights, log_z = log_softmax(tilted), float(logsumexp(tilted) - centre @ multipliers)
    weights = np.exp(log_weights)
    means, covariance = _moments(features, weights)
    some = weights > 0
    entropy = -float(weights[some] @ (log_weights[some] - log_prior[some]))
    return Gibbs(weights, log_weights, multipliers, log_z, means, covariance, entropy)


def _moments(features: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    means = weights @ features
    centred = features - means
    return means, np.asarray((centred * weights[:, None]).T @ centred)


def maxent(features: FloatArray, targets: FloatArray, log_prior: FloatArray) -> Gibbs:
    """The Gibbs distribution of features ``(n, k)`` with means ``targets``, ``(k,)``; NaN leaves a feature unconstrained.

    If features depend linearly on each other, the multipliers are those of minimum norm after scaling the features.

    Raises:
        InvalidRequest: No distribution has these means, or only one that excludes rows, for which multipliers are infinite. The
            error names ``targets.K`` if that target alone is out of reach.
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
        with np.errstate(over="ignore"):
            multipliers[wanted] = solved / scale
        for (k,) in np.argwhere(~np.isfinite(multipliers))[:1]:
            complaint = "belongs to a feature that varies too little for a finite multiplier"
            raise refuse(f"targets.{k}", complaint, "give the feature in a larger unit")
    return gibbs(features, multipliers, log_prior)


def _check_each(away: FloatArray, targets: FloatArray) -> None:
    """Raises ``InvalidRequest`` for a target that is not strictly between the extremes of its feature."""
    low, high = away.min(axis=0), away.max(axis=0)
    for (k,) in np.argwhere(((low >= 0) | (high <= 0)) & ((low < high) | (low != 0)))[:1]:
        span = f"is between {targets[k] + low[k]:.6g} and {targets[k] + high[k]:.6g}"
        raise refuse(f"targets.{k}", f"is {targets[k]:.6g}, but its feature {span}", "choose a mean strictly between these")


def _solve(scaled: FloatArray, log_prior: FloatArray) -> FloatArray:
    """Multipliers that bring the means of the scaled features, ``(n, k)``, to zero, or as near as possible."""

    def dual(multipliers: FloatArray) -> tuple[float, FloatArray]:
        log_weights = log_prior - scaled @ multipliers
        return float(logsumexp(log_weights)), -(np.exp(log_softmax(log_weights)) @ scaled)

    def curvature(multipliers: FloatArray) -> FloatArray:
        return _moments(scaled, np.exp(log_softmax(log_prior - scaled @ multipliers)))[1]

    optimize = import_extra("scipy.optimize", "entropy")
    found: Any = optimize.minimize(
        dual,
        np.zeros(scaled.shape[1]),
        jac=True,
        hess=curvature,
        method="trust-exact",
        options={"gtol": TOLERANCE / 10, "maxiter": 500, "max_trust_radius": 1e4},
    )
    # Newton steps for the last digits: the solver compares values of the dual, which is flat within rounding at its minimum.
    multipliers = np.asarray(found.x, dtype=np.float64)
    for _ in range(2):
        gradient = dual(multipliers)[1]
        step = np.linalg.lstsq(curvature(multipliers), gradient, rcond=1e-12)[0]
        if np.abs(dual(multipliers - step)[1]).max() < np.abs(gradient).max():
            multipliers = multipliers - step
    return multipliers


def _check_together(scaled: FloatArray) -> None:
    """Raises ``InvalidRequest`` for targets that no distribution with positive weights in all rows has.

    This is a linear program: find weights of at least t each with which the rows of ``scaled``, ``(n, k)``, average to the
    origin, and maximise t.
    """
    optimize = import_extra("scipy.optimize", "entropy")
    n = len(scaled)
    constraints = np.vstack([np.hstack([scaled.T, scaled.sum(axis=0)[:, None]]), np.append(np.ones(n), n)])
    objective = np.zeros(n + 1)
    objective[-1] = -1.0
    found: Any = optimize.linprog(objective, A_eq=constraints, b_eq=np.append(np.zeros(scaled.shape[1]), 1.0), method="highs")
    if found.x is None:
        raise refuse("targets", "cannot all be met by any weights of these rows", "choose means that are compatible")
    if found.x[-1] * n < TOLERANCE:
        raise refuse("targets", "are on the edge of their range, where multipliers are infinite", "move them inwards")
