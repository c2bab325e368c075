"""The stationary distribution of a Markov process, by elimination of one state after the other.

The algorithm of Grassmann, Taksar and Heyman, "Regenerative Analysis and Steady State Distributions for Markov Chains",
Operations Research 33(5), 1985. It never subtracts, so every probability keeps its relative precision, however small it is.
Working with logarithms, and with processes of several unconnected parts, is our addition.
"""

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray, logsumexp


def log_stationary(log_p: FloatArray, connected: NDArray[np.bool_], visits: FloatArray) -> tuple[FloatArray, int]:
    """Logarithms of the stationary distribution, ``(s,)``, and the number of connected parts.

    Args:
        log_p: logarithms of the transitions, ``(s, s)``; finite where ``connected``.
        connected: pairs of states with transitions in both directions, ``(s, s)``, symmetric.
        visits: number of visits to each state, ``(s,)``. A connected part keeps its share of them; a state without visits has
            probability 0.
    """
    log_pi = np.full(len(visits), -np.inf)
    remaining = visits > 0
    n_parts = 0
    while remaining.any():
        part = np.zeros_like(remaining)
        part[np.argmax(remaining)] = True
        while (grown := part | connected[part].any(axis=0)).sum() > part.sum():
            part = grown
        share = np.log(visits[part].sum()) - np.log(visits.sum())
        log_pi[part] = log_stationary_of_part(log_p[np.ix_(part, part)]) + share
        remaining &= ~part
        n_parts += 1
    return log_pi, n_parts


def log_stationary_of_part(log_p: FloatArray) -> FloatArray:
    """Logarithms of the stationary distribution, ``(s,)``, of a process in which every state leads to every other."""
    left = np.array(log_p)
    n = len(left)
    for k in range(n - 1, 0, -1):
        # Without state k, a step to it is replaced by the step with which the process leaves it.
        left[:k, k] -= logsumexp(left[k, :k])
        left[:k, :k] = np.logaddexp(left[:k, :k], left[:k, k, None] + left[k, :k])
    log_pi = np.zeros(n)
    for k in range(1, n):
        log_pi[k] = logsumexp(log_pi[:k] + left[:k, k])
    return log_pi - logsumexp(log_pi)
