"""Maximum caliber: the least committal process of steps with a given average of a step.

Following Rogers, Beck and Rempe (arXiv 1105.5662; see :mod:`epf.entropy.maxent.maths`) and Jaynes (1980). This does for steps
what :mod:`epf.entropy.maxent.maths` does for states: consider all processes P whose steps begin with the distribution p and
have the average sum_ij p_i P_ij f_ij = F. The one that adds least to the prior process m has the largest caliber,
-sum_ij p_i P_ij ln(P_ij / m_ij). It is

    P_ij = m_ij exp(-l f_ij) / Z_i(l),    l = argmin sum_i p_i ln Z_i(l) + l F,

with the process free energy -sum_i p_i ln Z_i. The slope of the free energy in l is <f>, and its curvature is minus the
fluctuation of f within a step. The distribution p is fixed: the share of steps that leave each state is known, and the next
state is not.
"""

from dataclasses import dataclass

import numpy as np

from epf.core.extras import import_extra
from epf.entropy.core.checks import refuse
from epf.entropy.core.information import FloatArray, log_softmax, logsumexp

STEEPEST = 500.0
"""Largest multiplier, in units of 1 over the range of f; beyond it the mean is at the edge of its range."""


@dataclass(frozen=True, slots=True)
class Driven:
    """A process that is tilted towards a given mean of f.

    Attributes:
        transition: P, ``(s, s)``.
        multiplier: l.
        mean: <f> of a step.
        variance: mean over states of the variance of f within a step: minus the response of the mean to the multiplier.
        free_energy: -sum_i p_i ln Z_i, in nats.
        caliber: caliber in nats per step; at most 0, which is that of the prior process.
    """

    transition: FloatArray
    multiplier: float
    mean: float
    variance: float
    free_energy: float
    caliber: float


def tilted(law: FloatArray, prior: FloatArray, f: FloatArray, multiplier: float) -> Driven:
    """The process with this multiplier: ``law`` p ``(s,)``, ``prior`` m ``(s, s)`` with rows that sum to 1, ``f`` ``(s, s)``.

    A state without steps in the prior has no steps in the process either; its p must be 0.
    """
    left = prior.any(axis=1)
    p, m, g = law[left], prior[left], f[left]
    with np.errstate(divide="ignore"):
        log_weights = np.log(m) - multiplier * g
    rows = np.exp(log_softmax(log_weights))
    means = (rows * g).sum(axis=1, keepdims=True)
    transition = np.zeros_like(prior)
    transition[left] = rows
    log_z, mean = float(p @ logsumexp(log_weights)), float(p @ means[:, 0])
    return Driven(
        transition=transition,
        multiplier=multiplier,
        mean=mean,
        variance=float(p @ (rows * (g - means) ** 2).sum(axis=1)),
        free_energy=-log_z,
        caliber=min(0.0, log_z + multiplier * mean),
    )


def maximum_caliber(law: FloatArray, prior: FloatArray, f: FloatArray, target: float, *, field: str) -> Driven:
    """The process whose steps have the mean ``target`` of f; see :func:`tilted` for the other arguments.

    Raises:
        InvalidRequest: No process with the prior's steps has this mean, or only one without some of them; the error names
            ``field``.
        NotInstalled: scipy is missing.
    """
    some = law > 0
    possible = prior[some] > 0
    low = float(law[some] @ np.where(possible, f[some], np.inf).min(axis=1))
    high = float(law[some] @ np.where(possible, f[some], -np.inf).max(axis=1))
    steepest = STEEPEST / max(float(np.ptp(f[some][possible])), 1e-300)

    def miss(multiplier: float) -> float:
        return tilted(law, prior, f, multiplier).mean - target

    if not low < target < high or miss(-steepest) <= 0 or miss(steepest) >= 0:
        raise refuse(
            field, f"is {target:g}, but the mean of such steps is between {low:.6g} and {high:.6g}", "choose one well inside"
        )
    return tilted(law, prior, f, float(import_extra("scipy.optimize", "entropy").brentq(miss, -steepest, steepest, xtol=1e-13)))
