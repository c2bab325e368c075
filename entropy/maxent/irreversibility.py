"""Entropy production of a process of steps: how far its statistics tell forwards from backwards.

After Rogers, Beck and Rempe (arXiv 1105.5662; see :mod:`epf.entropy.maxent.maths`) and the stochastic thermodynamics that it
belongs to. Of a Markov step p -> p' = pP,

    sigma = sum_ij p_i P_ij ln [p_i P_ij / (p'_j P_ji)] >= 0,

the divergence of the step from its reverse. In the stationary law it is 0 iff the process is in detailed balance: for every
step from i to j there is one back, and the order of states tells nothing of the direction of time. A step also forgets:
KL(p || pi) - KL(p' || pi) >= 0 of what tells the law from the stationary one is lost.

One transition that was seen only one way makes sigma infinite. Ours: a pseudo-count on both directions of every pair that was
seen in either, which leaves pairs that were never seen alone. Sigma depends on it where data are few, so it is told with the
result.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray, kl


@dataclass(frozen=True, slots=True)
class Process:
    """A Markov process over s states, from counts of its transitions. Informations are in nats per step.

    Attributes:
        transition: P, ``(s, s)``, of the smoothed counts.
        observed: p, how often a transition began in each state, ``(s,)``.
        stationary: pi, ``(s,)``. States that are not connected keep the share that was observed of their part.
        production: sigma in the stationary law.
        production_observed: sigma of a step from ``observed``.
        production_unsmoothed: the same of the plain counts, often inf.
        flow: pi_i P_ij, ``(s, s)``.
        forgotten: KL(p || pi) - KL(pP || pi) of p = ``observed``.
        n_one_way: pairs of states that were seen in one direction only.
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
    """The process behind counts ``(s, s)``, from row to column, of which one at least is positive; ``smoothing`` > 0."""
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
    """Sigma in nats of a step of the chain ``transition``, ``(s, s)``, from ``law``, ``(s,)``; inf if one has no reverse."""
    forward = law[:, None] * transition
    backward = (law @ transition)[:, None] * transition
    return float(kl(forward.ravel(), backward.T.ravel()))


def _rows_normalised(counts: FloatArray) -> FloatArray:
    """Rows as distributions; one without counts stays zero."""
    sums = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.where(sums > 0, sums, 1.0))


def _stationary(transition: FloatArray, connected: NDArray[np.bool_], visits: FloatArray) -> FloatArray:
    """The stationary law that keeps each connected part's share of the visits."""
    law = np.zeros(len(visits))
    left = visits > 0
    while left.any():
        part = np.zeros_like(left)
        part[np.argmax(left)] = True
        while (grown := part | connected[part].any(axis=0)).sum() > part.sum():
            part = grown
        inside = transition[np.ix_(part, part)]
        # pi (P - 1) = 0 and sum pi = 1: one equation is too many, so they are solved in least squares, exactly.
        equations = np.vstack([inside.T - np.eye(len(inside)), np.ones(len(inside))])
        solved = np.linalg.lstsq(equations, np.append(np.zeros(len(inside)), 1.0), rcond=None)[0]
        law[part] = np.maximum(solved, 0.0) / np.maximum(solved, 0.0).sum() * visits[part].sum() / visits.sum()
        left &= ~part
    return law
