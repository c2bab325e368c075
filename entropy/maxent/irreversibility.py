"""Entropy production of a process of steps: how well its statistics distinguish forwards from backwards.

Following Rogers, Beck and Rempe (arXiv 1105.5662; see :mod:`epf.entropy.maxent.maths`) and stochastic thermodynamics. The
entropy production of a Markov step p -> p' = pP is

    sigma = sum_ij p_i P_ij ln [p_i P_ij / (p'_j P_ji)] >= 0,

the divergence of the step from its reverse. In the stationary distribution it is 0 iff the process is in detailed balance: for
every step from i to j there is one back, and the order of states carries no information about the direction of time. A step
also forgets: of the divergence between p and the stationary distribution pi, KL(p || pi) - KL(p' || pi) >= 0 is lost.

A single transition that occurs in one direction only makes sigma infinite. Our addition is a pseudo-count in both directions of
every pair that occurs in either direction; pairs that never occur are not changed. Sigma depends on the pseudo-count if data
are few, so the result includes it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray, kl


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
        flow: pi_i P_ij, ``(s, s)``.
        forgotten: KL(p || pi) - KL(pP || pi) for p = ``observed``.
        n_one_way: number of pairs of states with transitions in one direction only.
    """

    transition: FloatArray
    observed: FloatArray
    stationary: FloatArray
    production: float
    production_observed: float
    production_unsmoothed: float
    flow: FloatArray
    forgotten: float
    n_one_way: int


def process(counts: FloatArray, smoothing: float) -> Process:
    """Estimates the process from counts ``(s, s)``, row to column, at least one of them positive; ``smoothing`` > 0."""
    seen = counts > 0
    either = seen | seen.T
    transition = _rows_normalised(counts + smoothing * either)
    observed = counts.sum(axis=1) / counts.sum()
    stationary = _stationary(transition, either, counts.sum(axis=0) + counts.sum(axis=1))
    return Process(
        transition=transition,
        observed=observed,
        stationary=stationary,
        production=entropy_production(stationary, transition),
        production_observed=entropy_production(observed, transition),
        production_unsmoothed=entropy_production(observed, _rows_normalised(counts)),
        flow=stationary[:, None] * transition,
        forgotten=float(kl(observed, stationary) - kl(observed @ transition, stationary)),
        n_one_way=int((seen & ~seen.T).sum()),
    )


def entropy_production(law: FloatArray, transition: FloatArray) -> float:
    """Sigma, in nats, of a step of ``transition``, ``(s, s)``, from ``law``, ``(s,)``; inf if a transition has no reverse."""
    forward = law[:, None] * transition
    backward = (law @ transition)[:, None] * transition
    return float(kl(forward.ravel(), backward.T.ravel()))


def _rows_normalised(counts: FloatArray) -> FloatArray:
    """Rows as distributions; a row without counts remains zero."""
    sums = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.where(sums > 0, sums, 1.0))


def _stationary(transition: FloatArray, connected: NDArray[np.bool_], visits: FloatArray) -> FloatArray:
    """The stationary distribution in which each connected part keeps its share of the visits."""
    law = np.zeros(len(visits))
    remaining = visits > 0
    while remaining.any():
        part = np.zeros_like(remaining)
        part[np.argmax(remaining)] = True
        while (grown := part | connected[part].any(axis=0)).sum() > part.sum():
            part = grown
        inside = transition[np.ix_(part, part)]
        # pi (P - 1) = 0 and sum pi = 1 have one redundant equation, so least squares solve them exactly.
        equations = np.vstack([inside.T - np.eye(len(inside)), np.ones(len(inside))])
        solved = np.linalg.lstsq(equations, np.append(np.zeros(len(inside)), 1.0), rcond=None)[0]
        law[part] = np.maximum(solved, 0.0) / np.maximum(solved, 0.0).sum() * visits[part].sum() / visits.sum()
        remaining &= ~part
    return law
