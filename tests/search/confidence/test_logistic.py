"""Logistic regression: known weights are found again, signs hold, and nothing is ever undefined."""

import math

import numpy as np
import pytest

from epf.search.confidence.logistic import Logistic, fit_logistic

N = 20_000


def drawn(seed: int) -> tuple[list[dict[str, float]], list[bool]]:
    """Rows with log odds 0.5 + 2 a - b, and a feature that says nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 3))
    right = rng.random(N) < 1 / (1 + np.exp(-(0.5 + 2 * x[:, 0] - x[:, 1])))
    return [dict(zip(("a", "b", "c"), map(float, row), strict=True)) for row in x], right.tolist()


def test_it_finds_the_weights_that_made_the_labels() -> None:
    rows, right = drawn(1)
    found = fit_logistic(rows, right, [1.0] * N, {"a": 1, "b": -1, "c": 0})
    assert found.weights == pytest.approx({"a": 2.0, "b": -1.0, "c": 0.0}, abs=0.1)
    assert found({}) == pytest.approx(np.mean([found(row) for row in rows]), abs=0.1), "a missing value counts as the mean"
    assert found({"a": 1.0, "b": 1.0, "c": 0.0}) == pytest.approx(1 / (1 + math.exp(-1.5)), abs=0.03)
    assert np.mean([found(row) for row in rows]) == pytest.approx(np.mean(right), abs=1e-3)


def test_a_feature_whose_weight_would_have_the_wrong_sign_is_left_out() -> None:
    rows, right = drawn(2)
    found = fit_logistic(rows, right, [1.0] * N, {"a": -1, "b": -1, "c": 0})
    assert "a" not in found.weights
    assert found.weights["b"] < 0


def test_a_weight_counts_as_a_repetition() -> None:
    rows: list[dict[str, float]] = [{"a": 0.0}, {"a": 0.0}, {"a": 1.0}, {"a": 1.0}]
    right = [False, True, True, False]
    weighted = fit_logistic(rows, right, [3, 1, 2, 1], {"a": 1})
    repeated = fit_logistic(
        [rows[0]] * 3 + [rows[1], rows[2], rows[2], rows[3]], [False] * 3 + [True] * 3 + [False], [1] * 7, {"a": 1}
    )
    for value in (0.0, 1.0):
        assert weighted({"a": value}) == pytest.approx(repeated({"a": value}))


def test_separable_labels_and_constant_features_stay_finite() -> None:
    rows = [{"a": float(i), "b": 1.0} for i in range(100)]
    found = fit_logistic(rows, [i >= 50 for i in range(100)], [1] * 100, {"a": 1, "b": 0})
    assert math.isfinite(found.bias)
    assert "b" not in found.weights
    assert found({"a": 0.0}) < 0.1 < 0.9 < found({"a": 99.0})


def test_extreme_values_have_a_probability() -> None:
    model = Logistic(0.0, {"a": 1e6}, {"a": 0.0})
    assert (model({"a": 1e6}), model({"a": -1e6})) == (1.0, 0.0)


def test_labels_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one of each"):
        fit_logistic([{"a": 1.0}], [True], [1.0], {"a": 1})
