import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from epf.search.smc.weights import CLIP, FloatArray, entropy, ess, log_mean, log_sum, logit, normalise

LOG_WEIGHTS = st.lists(st.floats(-700, 700) | st.just(-math.inf), min_size=1, max_size=40)


@given(LOG_WEIGHTS, st.randoms())
def test_ess_and_entropy_stay_in_range_and_ignore_order(log_weights: list[float], random: Random) -> None:
    alive = any(math.isfinite(x) for x in log_weights)
    n = len(log_weights)
    shuffled = random.sample(log_weights, n)
    assert ess(log_weights) == pytest.approx(ess(shuffled))
    assert entropy(log_weights) == pytest.approx(entropy(shuffled), abs=1e-9)
    assert (1.0 if alive else 0.0) <= ess(log_weights) <= n
    assert 0.0 <= entropy(log_weights) <= math.log(n) + 1e-9
    assert normalise(log_weights).sum() == pytest.approx(1.0 if alive else 0.0)


@given(LOG_WEIGHTS, st.floats(-1e6, 1e6))
def test_a_common_factor_changes_only_the_sum(log_weights: list[float], shift: float) -> None:
    moved = [x + shift for x in log_weights]
    assert ess(moved) == pytest.approx(ess(log_weights), rel=1e-6)
    if math.isfinite(log_sum(log_weights)):
        assert log_sum(moved) == pytest.approx(log_sum(log_weights) + shift, abs=1e-6)


def test_known_values() -> None:
    np.testing.assert_allclose(normalise(np.log([1.0, 3.0])), [0.25, 0.75])
    assert ess([0.0] * 8) == pytest.approx(8.0)
    assert ess([0.0, -math.inf]) == 1.0
    assert ess(np.log([1.0, 3.0])) == pytest.approx(1 / (1 / 16 + 9 / 16))
    assert entropy([0.0] * 8) == pytest.approx(math.log(8))
    assert log_sum([1000.0, 1000.0]) == pytest.approx(1000.0 + math.log(2))
    assert log_mean(np.log([1.0, 3.0])) == pytest.approx(math.log(2))


def test_one_particle() -> None:
    np.testing.assert_array_equal(normalise([-5.0]), [1.0])
    assert ess([-5.0]) == 1.0
    assert entropy([-5.0]) == 0.0


def test_all_dead_is_a_defined_case() -> None:
    dead = [-math.inf] * 3
    np.testing.assert_array_equal(normalise(dead), [0.0, 0.0, 0.0])
    assert ess(dead) == entropy(dead) == 0.0
    assert log_sum(dead) == log_mean(dead) == -math.inf


@pytest.mark.parametrize("bad", [[math.nan, 0.0], [math.inf], [], [[0.0]]])
@pytest.mark.parametrize("function", [normalise, ess, entropy, log_sum, log_mean])
def test_nan_infinity_and_wrong_shapes_are_refused(function: Callable[[ArrayLike], float | FloatArray], bad: ArrayLike) -> None:
    with pytest.raises(ValueError, match="log weights must"):
        function(bad)


def test_logit_is_clipped_and_symmetric() -> None:
    np.testing.assert_allclose(logit([0.5, 0.9]), [0.0, math.log(9)])
    edge = math.log((1 - CLIP) / CLIP)
    np.testing.assert_allclose(logit([0.0, 1.0, 1e-12]), [-edge, edge, -edge])
    with pytest.raises(ValueError, match="NaN"):
        logit([0.5, math.nan])


def test_input_arrays_are_left_alone() -> None:
    log_weights = np.array([0.0, -math.inf, 2.0])
    before = log_weights.copy()
    normalise(log_weights), ess(log_weights), entropy(log_weights), log_sum(log_weights)
    np.testing.assert_array_equal(log_weights, before)
