import math

import numpy as np
import pytest

from epf.search.smc.intrinsic import log_potentials, step_entropy
from epf.search.smc.weights import BoolArray

MOVED = np.array([True, True, False, True])
ENTROPIES = np.array([0.5, 1.25, 0.0, 2.0])


def test_entropy_of_a_step_is_the_mean_negative_log_probability() -> None:
    assert step_entropy([-0.5, -1.5]) == pytest.approx(1.0)
    assert step_entropy([-1.0] * 50) == pytest.approx(step_entropy([-1.0]))


@pytest.mark.parametrize("log_prob", [-math.inf, -1e9, math.nan])
def test_the_log_probability_of_an_impossible_token_is_clipped(log_prob: float) -> None:
    assert step_entropy([log_prob]) == pytest.approx(-math.log(1e-7))


def test_the_estimate_is_unbiased_at_temperature_one() -> None:
    p = np.array([0.6, 0.3, 0.1])
    drawn = np.random.default_rng(0).choice(3, size=20_000, p=p)
    assert step_entropy(np.log(p[drawn])) == pytest.approx(-(p * np.log(p)).sum(), abs=0.02)


def test_entropies_are_negative_log_potentials() -> None:
    np.testing.assert_allclose(log_potentials(ENTROPIES, MOVED, zscore=False), [-0.5, -1.25, 0.0, -2.0])


def test_z_scores_are_those_of_the_particles_that_moved() -> None:
    potentials = log_potentials(ENTROPIES, MOVED, zscore=True)
    spread = math.sqrt(0.375)  # of 0.5, 1.25 and 2
    np.testing.assert_allclose(potentials, [0.75 / spread, 0.0, 0.0, -0.75 / spread], atol=1e-12)
    np.testing.assert_allclose(log_potentials(3.0 * ENTROPIES + 1.0, MOVED, zscore=True), potentials)


@pytest.mark.parametrize("moved", [MOVED, np.array([False, True, False, False]), np.zeros(4, dtype=bool)])
def test_equal_entropies_give_equal_weights(moved: BoolArray) -> None:
    np.testing.assert_array_equal(log_potentials(np.full(4, 0.7), moved, zscore=True), np.zeros(4))
