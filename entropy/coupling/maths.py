"""The Gibbs coupling of two sets of traces from weighted conditional flow matching (W-CFM), and its bias.

Calvo-Ordonez et al., "Weighted Conditional Flow Matching" (arXiv 2507.22270). We could not read its full text; the definitions
are those reported by its reviewers and in reading notes. Pairs of independent draws x ~ mu, y ~ nu are weighted by w(x, y) =
exp(-c(x, y) / eps), which is equivalent to drawing them from the coupling q = mu nu w / Z. The entropic optimal transport plan
exp(phi(x) + psi(y)) mu nu w keeps the marginals mu and nu; q does not. It is the plan between the tilted marginals mu f / Z and
nu g / Z, where f(x) = E_nu w(x, Y), g(y) = E_mu w(X, y) and Z = E_mu f = E_nu g. The tilt is measured by the relative variance
Var(f) / E(f)^2, and the paper chooses the smallest eps at which it has flattened.

The paper gives no formula for that point. Our definition is the knee, over ln eps, of the larger of both relative variances.
The effective number of pairs, the matches and the distance between q and the plan are ours as well. The relative variance is
also the chi-square divergence of the tilted marginal from the original one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from epf.core.extras import import_extra
from epf.entropy.core.information import FloatArray, IntArray, hill, log_softmax
from epf.entropy.core.knee import knee

Metric = Literal["euclidean", "sqeuclidean", "cosine"]

MAX_ITERATIONS = 2000
STOP = 1e-9
"""Sinkhorn's iterations end when the error of the marginals, in the L2 norm, is below this."""

_PLAIN_RANGE = 200.0
"""Up to this (max c - min c) / eps the kernel is far from underflow, and Sinkhorn runs without logarithms, ten times faster."""


@dataclass(frozen=True, slots=True)
class Coupling:
    """The coupling of n x with m y at one eps.

    Attributes:
        q: probability of each pair, ``(n, m)``; sums to 1.
        x_marginal, y_marginal: the tilted marginals, ``(n,)`` and ``(m,)``.
        x_tilt, y_tilt: relative variance of f under mu and of g under nu, >= 0.
        marginal_gap: the larger total variation distance of a tilted marginal from the original one, in [0, 1].
        ess: effective number of pairs, the Hill number of order 2 of q, in [1, n m].
    """

    q: FloatArray
    x_marginal: FloatArray
    y_marginal: FloatArray
    x_tilt: float
    y_tilt: float
    marginal_gap: float
    ess: float

    @property
    def tilt(self) -> float:
        """The larger relative variance."""
        return max(self.x_tilt, self.y_tilt)


@dataclass(frozen=True, slots=True)
class Matches:
    """The most probable partner of each x, ``(n,)`` each.

    Attributes:
        partner: index of y.
        probability: probability of this partner, given x.
        mutual: whether x is also the most probable partner of that y.
    """

    partner: IntArray
    probability: FloatArray
    mutual: NDArray[np.bool_]


def costs(x: FloatArray, y: FloatArray, metric: Metric) -> FloatArray:
    """c(x_i, y_j), ``(n, m)``, of vectors ``(n, d)`` and ``(m, d)``; the paper uses the Euclidean distance, not squared."""
    if metric == "cosine":  # the length of a vector does not count, but its square may be too small for a number
        x, y = (rows / np.abs(rows).max(axis=1, keepdims=True) for rows in (x, y))
    return np.asarray(import_extra("scipy.spatial.distance", "entropy").cdist(x, y, metric))


def uniform(n: int) -> FloatArray:
    """Equal probabilities, ``(n,)``."""
    return np.full(n, 1.0 / n)


def coupling(cost: FloatArray, eps: float, mu: FloatArray, nu: FloatArray) -> Coupling:
    """The Gibbs coupling for costs ``(n, m)`` and marginals ``(n,)`` and ``(m,)`` without zeros."""
    q = np.exp((cost.min() - cost) / eps)
    q *= mu[:, None] * nu
    q /= q.sum()
    x_marginal, y_marginal = q.sum(axis=1), q.sum(axis=0)
    return Coupling(
        q=q,
        x_marginal=x_marginal,
        y_marginal=y_marginal,
        x_tilt=_chi_square(x_marginal, mu),
        y_tilt=_chi_square(y_marginal, nu),
        marginal_gap=max(total_variation(x_marginal, mu), total_variation(y_marginal, nu)),
        ess=float(hill(q.ravel(), 2)),
    )


def _chi_square(p: FloatArray, reference: FloatArray) -> float:
    """Relative variance of p / reference under the reference."""
    return float(((p - reference) ** 2 / reference).sum())


def total_variation(p: FloatArray, q: FloatArray) -> float:
    """Half the sum of absolute differences, in [0, 1]."""
    return float(np.abs(p - q).sum() / 2.0)


def eps_knee(eps: FloatArray, tilts: FloatArray) -> int:
    """Index of the eps, ascending ``(k,)``, at which the tilts ``(k,)`` have flattened."""
    return knee(np.log(eps), tilts)


def matches(cost: FloatArray, eps: float, mu: FloatArray, nu: FloatArray) -> Matches:
    """Most probable partners under the coupling of this eps; the first if several are equal. Nothing underflows."""
    given_x = np.log(nu) - cost / eps
    given_y = np.log(mu)[:, None] - cost / eps
    partner = given_x.argmax(axis=1)
    return Matches(
        partner=partner,
        probability=np.exp(log_softmax(given_x).max(axis=1)),
        mutual=given_y.argmax(axis=0)[partner] == np.arange(len(cost)),
    )


def entropic_plan(cost: FloatArray, eps: float, mu: FloatArray, nu: FloatArray) -> tuple[FloatArray, bool]:
    """The entropic optimal transport plan, ``(n, m)``, by POT's Sinkhorn iterations, and whether they converged."""
    shifted = cost - cost.min()
    method = "sinkhorn" if shifted.max() <= _PLAIN_RANGE * eps else "sinkhorn_log"
    # POT also returns exp of the potentials, which may overflow and is not used.
    with np.errstate(over="ignore"):
        found, log = import_extra("ot", "entropy").sinkhorn(
            mu, nu, shifted, eps, method=method, numItermax=MAX_ITERATIONS, stopThr=STOP, log=True, warn=False
        )
    return np.asarray(found), bool(log["err"][-1] <= STOP)
