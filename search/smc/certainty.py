"""Probability that the leading answer is the most frequent one, from few votes."""

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_HALVES = np.stack([(_NODES + 1.0) / 4.0, (_NODES + 3.0) / 4.0])


def probability_of_lead(lead: float, runner_up: float) -> float:
    """P(theta > 1/2) for theta ~ Beta(1 + lead, 1 + runner_up); votes are not negative and need not be whole.

    This is the probability, from a uniform prior, that the answer with ``lead`` votes is more frequent than the other one
    (Aggarwal et al., arXiv 2305.11860, for whole votes). Each half of [0, 1] is integrated by Gauss-Legendre quadrature.
    """
    log_density = lead * np.log(_HALVES) + runner_up * np.log1p(-_HALVES)
    below, above = np.exp(log_density - log_density.max()) @ _WEIGHTS
    return float(above / (below + above))


def fewest_votes(certainty: float, maximum: int) -> int:
    """Minimum number of votes for one answer at which its lead, of probability 1 - 2^-(votes + 1), is certain enough."""
    return next((n for n in range(1, maximum) if 0.5 ** (n + 1) <= 1.0 - certainty), maximum)
