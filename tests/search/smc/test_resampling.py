from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from epf.search.smc.weights import RESAMPLERS, FloatArray, IntArray, Scheme, multinomial

SCHEMES = sorted(RESAMPLERS)
N_SEEDS = 6000


class FixedUniforms(np.random.Generator):
    """A random generator that always returns the given uniform number."""

    def __init__(self, uniform: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.value = uniform

    def random(self, size: Any = None, *_: Any, **__: Any) -> Any:
        return self.value if size is None else np.full(size, self.value)


def counts(scheme: Scheme, weights: FloatArray, m: int, n_seeds: int = N_SEEDS) -> IntArray:
    rng = np.random.default_rng(11)
    return np.array([np.bincount(RESAMPLERS[scheme](weights, m, rng), minlength=len(weights)) for _ in range(n_seeds)])


@pytest.mark.parametrize("m", [3, 5, 12])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_unbiased_and_no_noisier_than_multinomial(scheme: Scheme, m: int) -> None:
    weights = np.array([0.05, 0.4, 0.0, 0.25, 0.3])
    drawn = counts(scheme, weights, m)
    expected_variance = m * weights * (1 - weights)
    standard_error = np.sqrt(expected_variance / N_SEEDS)
    assert (np.abs(drawn.mean(axis=0) - m * weights) <= 4 * standard_error).all()
    variance_error = 4 * expected_variance * np.sqrt(3 / N_SEEDS)
    assert (drawn.var(axis=0) <= expected_variance + variance_error).all()
    assert (drawn[:, 2] == 0).all()


def test_multinomial_has_the_variance_of_a_multinomial() -> None:
    weights = np.array([0.1, 0.3, 0.6])
    np.testing.assert_allclose(counts("multinomial", weights, 8).var(axis=0), 8 * weights * (1 - weights), rtol=0.1)


@pytest.mark.parametrize("scheme", ["systematic", "residual", "stratified"])
def test_low_variance_schemes_are_quieter_where_counts_are_nearly_whole(scheme: Scheme) -> None:
    weights = np.array([0.26, 0.24, 0.26, 0.24])
    assert counts(scheme, weights, 8, 2000).var(axis=0).sum() < 0.6 * counts("multinomial", weights, 8, 2000).var(axis=0).sum()


@given(
    st.lists(st.floats(0, 1) | st.just(0.0), min_size=1, max_size=30).filter(lambda w: sum(w) > 1e-3),
    st.integers(1, 40),
    st.integers(0, 2**32),
    st.sampled_from(SCHEMES),
)
def test_zero_weights_are_never_chosen_and_shapes_hold(weights: list[float], m: int, seed: int, scheme: Scheme) -> None:
    w = np.array(weights) / np.sum(weights)
    ancestors = RESAMPLERS[scheme](w, m, np.random.default_rng(seed))
    assert ancestors.shape == (m,)
    assert np.issubdtype(ancestors.dtype, np.integer)
    assert (w[ancestors] > 0).all()


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 2**32))
def test_systematic_counts_are_within_one_of_expectation(weights: list[float], m: int, seed: int) -> None:
    w = np.array(weights) / np.sum(weights)
    copies = np.bincount(RESAMPLERS["systematic"](w, m, np.random.default_rng(seed)), minlength=w.size)
    assert (np.abs(copies - m * w) < 1 + 1e-9).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_position_beyond_the_cumulative_sum_goes_to_the_last_living_particle(scheme: Scheme) -> None:
    weights = np.array([0.1] * 10 + [0.0])
    top = np.nextafter(1.0, 0.0)
    assert np.cumsum(weights)[-1] < 1.0, "precondition: rounding leaves the cumulative sum below one"
    assert np.searchsorted(np.cumsum(weights), top, side="right") == 11, "precondition: a plain look-up falls off the end"
    ancestors = RESAMPLERS[scheme](weights, 10, FixedUniforms(top))
    assert (ancestors < 10).all()
    assert ancestors[-1] == 9


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_uniform_of_zero_skips_leading_zero_weights(scheme: Scheme) -> None:
    ancestors = RESAMPLERS[scheme](np.array([0.0, 0.0, 0.5, 0.5]), 4, FixedUniforms(0.0))
    assert (ancestors >= 2).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_particle_and_certain_weights(scheme: Scheme) -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(RESAMPLERS[scheme]([1.0], 4, rng), [0, 0, 0, 0])
    np.testing.assert_array_equal(RESAMPLERS[scheme]([0.0, 1.0, 0.0], 3, rng), [1, 1, 1])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("weights", [[np.nan, 1.0], [np.inf, 0.0], [-0.5, 1.5], [0.0, 0.0], [2.0, 2.0], [], [[1.0]]], ids=repr)
def test_weights_that_are_not_a_distribution_are_refused(scheme: Scheme, weights: ArrayLike) -> None:
    with pytest.raises(ValueError, match="weights"):
        RESAMPLERS[scheme](weights, 2, np.random.default_rng(0))


def test_the_same_generator_state_draws_the_same() -> None:
    w = np.full(6, 1 / 6)
    first, second = (multinomial(w, 6, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
