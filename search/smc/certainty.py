"""How certain it is that the leading answer is the most frequent one, from few votes."""

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_HALVES = np.stack([(_NODES + 1.0) / 4.0, (_NODES + 3.0) / 4.0])


def probability_of_lead(lead: float, runner_up: float) -> float:
    """P(theta > 1/2) for theta ~ Beta(1 + lead, 1 + runner_up); votes are not negative and need not be whole.

    This is the probability, from a uniform prior, that of two answers the one with ``lead`` votes is the more frequent
    (Aggarwal et al., arXiv 2305.11860, for whole votes). By Gauss-Legendre quadrature of each half of [0, 1].
    """
    log_density = lead * np.log(_HALVES) + runner_up * np.log1p(-_HALVES)
    below, above = np.exp(log_density - log_density.max()) @ _WEIGHTS
    return float(above / (below + above))


def fewest_votes(certainty: float, most: int) -> int:
    """Votes, all for one answer, that first make its lead so probable, 1 - 2^-(votes + 1); ``most`` if that takes more."""
    return next((n for n in range(1, most) if 0.5 ** (n + 1) <= 1.0 - certainty), most)
