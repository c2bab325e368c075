"""Entropies, divergences and Hill numbers: exact values, identities between orders, and behaviour at zero."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special, stats

from epf.entropy.core.information import (
    FloatArray,
    entropy,
    entropy_of_counts,
    hill,
    in_unit,
    kl,
    log_softmax,
    logsumexp,
    p_log_p,
)
from epf.search.smc.weights import ess

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any)


def normalised(counts: list[int]) -> FloatArray:
    return np.array(counts) / sum(counts)


def test_exact_values() -> None:
    assert entropy([0.5, 0.25, 0.25]) == pytest.approx(1.5 * math.log(2), abs=1e-15)
    assert in_unit(entropy([0.5, 0.25, 0.25]), "bits") == pytest.approx(1.5, abs=1e-15)
    assert hill([0.5, 0.25, 0.25], 1) == pytest.approx(2.8284271247, abs=1e-10)
    assert hill([0.5, 0.25, 0.25], 2) == pytest.approx(1 / 0.375)
    assert kl([0.5, 0.5], [0.25, 0.75]) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))


def test_zero_probabilities_contribute_nothing_and_impossible_values_diverge() -> None:
    assert p_log_p(0.0) == 0.0
    assert entropy([1.0, 0.0]) == 0.0
    assert kl([1.0, 0.0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert kl([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert kl([1.0, 0.0], [1.0, 0.0]) == 0.0


def test_each_row_is_a_separate_distribution() -> None:
    rows = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    for of in (entropy, lambda p: hill(p, 2), lambda p: hill(p, 3.5), lambda p: kl(p, rows[::-1] * 0.5 + 1 / 6)):
        assert of(rows).shape == (2,)
    np.testing.assert_allclose(entropy(rows), [entropy(row) for row in rows])


@given(COUNTS)
def test_entropies_of_counts_and_of_their_shares_agree_with_scipy(counts: list[int]) -> None:
    assert entropy_of_counts(counts) == pytest.approx(entropy(normalised(counts)), abs=1e-12)
    assert entropy_of_counts(counts) == pytest.approx(stats.entropy(counts), abs=1e-9)


@given(COUNTS)
def test_hill_numbers_fall_from_the_support_to_one_over_the_largest_probability(counts: list[int]) -> None:
    p = normalised(counts)
    orders = (0, 0.5, 1, 2, 5, 50, math.inf)
    numbers = [float(hill(p, order)) for order in orders]
    assert numbers[0] == sum(c > 0 for c in counts)
    assert numbers[-1] == pytest.approx(1 / p.max())
    assert all(low <= high + 1e-9 for high, low in pairwise(numbers))
    assert float(hill(p, 1 + 1e-7)) == pytest.approx(numbers[2], rel=1e-5)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_effective_sample_size_of_a_search_is_the_hill_number_of_order_two(log_weights: list[float]) -> None:
    assert hill(np.exp(log_softmax(log_weights)), 2) == pytest.approx(ess(log_weights), rel=1e-9)


@given(arrays(float, (3, 4), elements=st.floats(-1e5, 1e5)))
def test_logsumexp_agrees_with_scipy(x: FloatArray) -> None:
    np.testing.assert_allclose(logsumexp(x), special.logsumexp(x, axis=-1), atol=1e-12)
    np.testing.assert_allclose(log_softmax(x), special.log_softmax(x, axis=-1), atol=1e-12)
    np.testing.assert_allclose(logsumexp(x, axis=0), special.logsumexp(x, axis=0), atol=1e-12)


def test_logsumexp_of_minus_infinities_is_minus_infinity() -> None:
    assert logsumexp([-math.inf, -math.inf]) == -math.inf


def test_miller_madow_corrects_most_of_the_bias() -> None:
    rng = np.random.default_rng(0)
    samples = [np.bincount(rng.integers(0, 8, 40), minlength=8) for _ in range(2000)]
    plug_in = np.mean([entropy_of_counts(c) for c in samples]) - math.log(8)
    mended = np.mean([entropy_of_counts(c, miller_madow=True) for c in samples]) - math.log(8)
    assert plug_in == pytest.approx(-7 / 80, abs=0.01)
    assert abs(mended) < abs(plug_in) / 5
