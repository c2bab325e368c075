"""Figures with their errors, next to PF and to what was expected."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.regimes.cells import ALL
from benchmarks.regimes.expected import EXPECTED, sample_size, tolerance
from benchmarks.regimes.measure import Figure
from epf.search.smc.weights import FloatArray

Key = tuple[str, int, str]
"""Place, number of particles, and method."""


@dataclass(frozen=True, slots=True)
class Line:
    """A method in one place; shares and differences are in percent and points, with standard errors over problems.

    Attributes:
        gain, gain_error: difference from PF on the same problems.
        steps: sampled steps relative to PF.
        draws: number of resamplings per problem and island.
        expected: figure of the other implementation; None without one.
        expected_error: its standard error, from its sample size.
    """

    place: str
    n: int
    method: str
    solved: float
    error: float
    gain: float
    gain_error: float
    steps: float
    draws: float
    expected: float | None = None
    expected_error: float | None = None

    @property
    def off(self) -> float:
        """Difference from the expected figure, in points."""
        assert self.expected is not None, "a line with an expected figure"
        return self.solved - self.expected

    @property
    def z(self) -> float:
        """The same in standard errors of the difference."""
        assert self.expected_error is not None, "a line with an expected figure"
        return self.off / float(np.hypot(self.error, self.expected_error))

    @property
    def reproduced(self) -> bool:
        """Whether the expected figure is within its tolerance."""
        return abs(self.off) <= tolerance(self.place)


def lines(figures: Mapping[Key, Figure]) -> list[Line]:
    """One line for each figure, in the order of the places and methods."""
    found = []
    for place, where in ALL.items():
        for n, method in itertools.product(where.particles, where.methods):
            figure, plain = figures[place, n, method], figures[place, n, "pf"]
            gain = mean_and_error(figure.shares - plain.shares)
            expected = EXPECTED.get((place, n, method))
            error = None if expected is None else binomial_error(expected, sample_size(place))
            steps, draws = round(figure.steps / plain.steps, 3), round(figure.draws, 2)
            found.append(Line(place, n, method, *mean_and_error(figure.shares), *gain, steps, draws, expected, error))
    return found


def mean_and_error(shares: FloatArray) -> tuple[float, float]:
    """Mean over problems in percent and its standard error."""
    return round(100.0 * float(shares.mean()), 2), round(100.0 * float(shares.std(ddof=1)) / np.sqrt(shares.size), 2)


def binomial_error(percent: float, n: int) -> float:
    """Standard error of a share in percent over ``n`` searches; a share of 0 or 1 counts as half a search away from it."""
    p = min(max(percent / 100.0, 0.5 / n), 1.0 - 0.5 / n)
    return round(100.0 * float(np.sqrt(p * (1.0 - p) / n)), 2)
