"""Entropy production of a process of steps: how well its statistics distinguish forwards from backwards.

Following Rogers, Beck and Rempe (arXiv 1105.5662; see :mod:`epf.entropy.maxent.maths`) and stochastic thermodynamics. The
entropy production of a Markov step p -> p' = pP is

    sigma = sum_ij p_i P_ij ln [p_i P_ij / (p'_j P_ji)] >= 0,

the divergence of the step from its reverse. In the stationary distribution it is 0 iff the process is in detailed balance: for
every step from i to j there is one back, and the order of states carries no information about the direction of time. A process
whose states form no cycle is always in detailed balance there (Kolmogorov's criterion), however one-way its steps are: the
stationary sigma is then 0 by construction, and only that of the observed distribution measures anything. A step
also forgets: of the divergence between p and the stationary distribution pi, KL(p || pi) - KL(p' || pi) >= 0 is lost.

A single transition that occurs in one direction only makes sigma infinite. Our addition is a pseudo-count in both directions of
every pair that occurs in either direction; pairs that never occur are not changed. Sigma depends on the pseudo-count if data
are few, so the result includes it. All probabilities are kept as logarithms, because those of a process that runs one way
differ by more than a floating-point number can express.
"""

from dataclasses import dataclass

import numpy as np

from epf.entropy.core.information import FloatArray, kl_of_logs
from epf.entropy.maxent.stationary import log_stationary


@dataclass(frozen=True, slots=True)
class Process:
    """A Markov process over s states, estimated from counts of its transitions. Information is in nats per step.

    Attributes:
        transition: P, ``(s, s)``, from the smoothed counts.
        observed: p, the share of transitions that begin in each state, ``(s,)``.
        stationary: pi, ``(s,)``. Each connected part keeps its observed share.
        production: sigma in the stationary distribution.
        production_observed: sigma of a step from ``observed``.
        production_unsmoothed: sigma of a step from ``observed`` without smoothing, often inf.
        has_cycle: whether at least three states form a cycle; without one, ``production`` is 0 by construction.
        flow: pi_i P_ij, ``(s, s)``.
        log_flow: ln flow, ``(s, s)``, finite for every pair with transitions.
        forgotten: KL(p || pi) - KL(pP || pi) for p = ``observed``.
        n_one_way: number of pairs of states with transitions in one direction only.
    """

    transition: FloatArray
    observed: FloatArray
    stationary: FloatArray
    production: float
    production_observed: float
    production_unsmoothed: float
    has_cycle: bool
    flow: FloatArray
    log_flow: FloatArray
    forgotten: float
    n_one_way: int


def process(counts: FloatArray, smoothing: float) -> Process:
    """Estimates the process from counts ``(s, s)``, row to column, at least one of them positive; ``smoothing`` > 0."""
    seen = counts > 0
    either = seen | seen.T
    log_p = _log_rows(counts + smoothing * either)
    log_observed = _log(counts.sum(axis=1)) - np.log(counts.sum())
    log_pi, n_parts = log_stationary(log_p, either, counts.sum(axis=0) + counts.sum(axis=1))
    log_flow = log_pi[:, None] + log_p
    log_next = np.logaddexp.reduce(log_observed[:, None] + log_p, axis=0)
    n_visited, n_links = int(either.any(axis=1).sum()), int(np.triu(either, 1).sum())
    return Process(
        transition=np.exp(log_p),
        observed=np.exp(log_observed),
        stationary=np.exp(log_pi),
        production=_production(log_pi, log_p),
        production_observed=_production(log_observed, log_p),
        production_unsmoothed=_production(log_observed, _log_rows(counts)),
        has_cycle=n_links > n_visited - n_parts,
        flow=np.exp(log_flow),
        log_flow=log_flow,
        forgotten=float(kl_of_logs(log_observed, log_pi) - kl_of_logs(log_next, log_pi)),
        n_one_way=int((seen & ~seen.T).sum()),
    )


def entropy_production(law: FloatArray, transition: FloatArray) -> float:
    """Sigma, in nats, of a step of ``transition``, ``(s, s)``, from ``law``, ``(s,)``; inf if a transition has no reverse."""
    return _production(_log(law), _log(transition))


def _production(log_law: FloatArray, log_p: FloatArray) -> float:
    forward = log_law[:, None] + log_p
    backward = np.logaddexp.reduce(forward, axis=0)[:, None] + log_p
    return float(kl_of_logs(forward.ravel(), backward.T.ravel()))


def _log(values: FloatArray) -> FloatArray:
    """Natural logarithms, -inf for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values))


def _log_rows(counts: FloatArray) -> FloatArray:
    """Logarithms of rows as distributions; -inf in a row without counts."""
    sums = counts.sum(axis=1, keepdims=True)
    return _log(counts) - np.log(np.where(sums > 0, sums, 1.0))
