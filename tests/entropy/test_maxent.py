"""Maximum entropy: known distributions, derivatives by finite differences, agreement with the weights of a search."""

import math
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray, entropy, hill, kl
from epf.entropy.maxent.maths import TOLERANCE, gibbs, maxent
from epf.entropy.registry import TOOLS
from epf.search.smc import weights as smc

TOOL = TOOLS["maxent"]
DICE = np.arange(1.0, 7.0)[:, None]
EQUAL = np.zeros(6)

Law = tuple[FloatArray, FloatArray]


@st.composite
def laws(draw: st.DrawFn) -> Law:
    """Draws features, and a distribution with positive weight in every row."""
    n, k = draw(st.integers(2, 12)), draw(st.integers(1, 3))
    features = draw(arrays(float, (n, k), elements=st.integers(-5, 5)))
    log_weights = draw(arrays(float, (n,), elements=st.floats(-4, 4)))
    assume((np.ptp(features, axis=0) > 0).all())
    return features, smc.normalise(log_weights)


def answer(**fields: Any) -> Any:
    return TOOL.answer(TOOL.input(**fields))


def test_jaynes_dice() -> None:
    found = maxent(DICE, np.array([4.5]), EQUAL)
    assert found.multipliers == pytest.approx([-0.371048938], abs=5e-10)
    assert np.exp(found.log_z) == pytest.approx(26.6636528, abs=5e-8)
    expected = [0.05435317, 0.07877155, 0.11415998, 0.1654468, 0.23977444, 0.34749407]
    np.testing.assert_allclose(found.weights, expected, atol=5e-9)
    assert found.entropy == pytest.approx(1.613581098, abs=5e-10)
    assert found.covariance == pytest.approx(2.29817537, abs=5e-9)


@pytest.mark.parametrize("b", [-2.0, 0.0, 0.7, 3.0])
def test_two_levels(b: float) -> None:
    found = gibbs(np.array([[0.0], [1.0]]), np.array([b]), np.zeros(2))
    assert found.log_z == pytest.approx(np.log1p(np.exp(-b)))
    assert found.means == pytest.approx([1 / (1 + np.exp(b))])
    assert b**2 * found.covariance == pytest.approx(b**2 * np.exp(b) / (1 + np.exp(b)) ** 2)  # the heat capacity


@given(laws())
def test_no_other_distribution_with_these_means_has_more_entropy(law: Law) -> None:
    features, p = law
    found = maxent(features, p @ features, np.zeros(len(p)))
    np.testing.assert_allclose(found.means, p @ features, atol=1e-7)
    assert found.entropy == pytest.approx(float(entropy(found.weights)), abs=1e-8)
    assert found.entropy >= entropy(p) - 1e-8
    # Pythagoras: the divergence of p from uniform splits at the Gibbs distribution.
    assert entropy(found.weights) - entropy(p) == pytest.approx(float(kl(p, found.weights)), abs=1e-7)


@given(laws(), st.floats(0.1, 100), st.floats(-50, 50), st.randoms())
@pytest.mark.slow
def test_weights_ignore_units_offsets_and_the_order_of_rows(law: Law, scale: float, shift: float, random: Random) -> None:
    features, p = law
    found = maxent(features, p @ features, np.zeros(len(p)))
    moved = features * scale + shift
    np.testing.assert_allclose(maxent(moved, p @ moved, np.zeros(len(p))).weights, found.weights, atol=1e-7)
    places = random.sample(range(len(p)), len(p))
    np.testing.assert_allclose(
        maxent(features[places], p @ features, np.zeros(len(p))).weights, found.weights[places], atol=1e-7
    )


@given(laws(), st.randoms())
def test_derivatives_of_the_partition_function_are_means_and_fluctuations(law: Law, random: Random) -> None:
    features, p = law
    multipliers = np.array([random.uniform(-1, 1) for _ in range(features.shape[1])])
    found = gibbs(features, multipliers, np.log(p))
    assert found.entropy == pytest.approx(-float(kl(found.weights, p)), abs=1e-9)
    for k, step in enumerate(1e-5 * np.eye(len(multipliers))):
        up, down = (gibbs(features, multipliers + sign * step, np.log(p)) for sign in (1, -1))
        assert (up.log_z - down.log_z) / 2e-5 == pytest.approx(-found.means[k], abs=1e-6)
        np.testing.assert_allclose((up.means - down.means) / 2e-5, -found.covariance[k], atol=1e-5)
        # dS = l . dF
        assert (up.entropy - down.entropy) / 2e-5 == pytest.approx(
            float(multipliers @ (up.means - down.means)) / 2e-5, abs=1e-5
        )


def test_rows_without_prior_weight_are_excluded() -> None:
    prior = np.array([0.0, 0.0, 0.0, 0.0, 0.0, -np.inf])
    assert maxent(DICE, np.array([4.5]), prior).weights[5] == 0
    with pytest.raises(InvalidRequest, match="between 1 and 5"):
        maxent(DICE, np.array([5.5]), prior)


def test_large_features_with_small_differences_lose_no_digits() -> None:
    found = maxent(1e9 + DICE / 8, np.array([1e9 + 4.5 / 8]), EQUAL)
    np.testing.assert_allclose(found.weights, maxent(DICE, np.array([4.5]), EQUAL).weights, rtol=1e-10)


def test_means_are_within_the_tolerance_for_features_of_any_scale() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        n, k = rng.integers(20, 200), rng.integers(1, 6)
        features = rng.normal(size=(n, k)) * 10 ** rng.uniform(-3, 3, size=k) + rng.normal(size=k) * 10 ** rng.uniform(-2, 4)
        means = smc.normalise(rng.normal(size=n) * rng.choice([0.1, 1, 4])) @ features
        found = maxent(features, means, np.zeros(n))
        assert (np.abs(found.means - means) <= TOLERANCE * np.abs(features - means).max(axis=0)).all()


CORNERS = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("features", "targets", "param", "message"),
    [
        ([[1.0], [2.0]], [2.5], "targets.0", "between 1 and 2"),
        ([[1.0], [2.0]], [2.0], "targets.0", "strictly between"),
        ([[1.0, 3.0], [2.0, 3.0]], [1.5, 4.0], "targets.1", "between 3 and 3"),
        (CORNERS, [0.6, 0.6], "targets", "cannot all be met"),
        (CORNERS, [0.5, 0.5], "targets", "on the edge"),
        (CORNERS, [None, 1.5], "targets.1", "between 0 and 1"),
    ],
)
def test_unreachable_means_are_refused(
    features: list[list[float]], targets: list[float | None], param: str, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        answer(features=features, targets=targets)
    assert refused.value.param == param


def test_means_near_the_edge_are_reached() -> None:
    found = answer(features=CORNERS, targets=[0.5 - 1e-5, 0.5])
    assert [one.mean for one in found.fit.features] == pytest.approx([0.5 - 1e-5, 0.5], abs=1e-12)


def test_unconstrained_features_are_reported() -> None:
    found = answer(features=[[1, 0], [2, 0], [3, 1], [4, 1]], targets=[3.0, None], names=["score", "correct"]).fit
    assert [one.multiplier == 0 for one in found.features] == [False, True]
    assert (found.features[1].before, found.features[1].temperature) == (0.5, None)
    assert found.features[1].mean == pytest.approx(found.weights[2] + found.weights[3])
    raised = answer(features=[[1, 0], [2, 0], [3, 1], [4, 1]], targets=[3.0 + 1e-5, None]).fit
    change = raised.features[0].multiplier - found.features[0].multiplier
    assert (raised.features[1].mean - found.features[1].mean) / change == pytest.approx(-found.response[0][1], rel=1e-4)


def test_features_that_depend_on_each_other_lead_to_a_warning() -> None:
    found = answer(features=[[1, 2], [2, 4], [4, 8]], targets=[2.0, 4.0])
    for name in ("depend linearly", "multipliers", "ln Z", "free energy"):
        assert name in found.warnings[0]
    assert found.fit.features[0].mean == pytest.approx(2)
    assert not answer(features=[[1, 2], [2, 1], [4, 8], [0, 0]], targets=[2.0, 3.0]).warnings


def test_with_features_that_sum_to_a_constant_weights_and_entropy_are_unique_and_ln_z_is_not() -> None:
    shares = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    found = maxent(shares, np.array([0.6, 0.4]), np.zeros(3))
    other = gibbs(shares, found.multipliers + 1.5, np.zeros(3))
    np.testing.assert_allclose(other.weights, found.weights, atol=1e-12)
    assert other.entropy == pytest.approx(found.entropy)
    assert other.log_z == pytest.approx(found.log_z - 1.5)


def test_another_distribution_has_more_free_energy() -> None:
    fit = answer(features=DICE.tolist(), targets=[4.5], compare=[1.0] * 6, unit="bits").fit
    assert fit.excess == pytest.approx((np.log2(6) - np.log2(fit.weights).mean()) - 2 * np.log2(6))
    assert fit.excess > 0
    assert answer(features=DICE.tolist(), targets=[3.5], compare=[2.0] * 6).fit.excess == pytest.approx(0, abs=1e-12)


def test_weights_too_small_for_a_number_are_still_compared() -> None:
    features = [[0.0], [-1e5], [-2e5]]
    fit = answer(features=features, multipliers=[-1.0], compare=[1.0, 1.0, 2.0]).fit
    assert fit.weights == [1, 0, 0]
    assert fit.entropy == pytest.approx(0, abs=1e-12)
    assert fit.excess == pytest.approx(0.25 * 1e5 + 0.5 * 2e5 - float(entropy([0.25, 0.25, 0.5])))
    # Just before they vanish, small weights have no more than a few bits; their logarithms have all.
    near = answer(features=[[0.0], [-744.0]], multipliers=[-1.0], compare=[1.0, 1.0]).fit
    assert near.excess == pytest.approx(372 - math.log(2), abs=1e-9)
    cold = answer(traces=[{"scores": [0.9]}, {"scores": [0.1]}], temperature=1e-6).fit
    assert cold.effective == 1
    assert math.isfinite(cold.log_z)


def test_the_entropy_of_extreme_weights_is_not_lost_in_the_partition_function() -> None:
    fit = answer(features=[[1e9], [1e9], [0.0]], multipliers=[-1e9]).fit
    assert fit.entropy == pytest.approx(math.log(2))
    assert answer(features=[[1.0], [0.0]], multipliers=[1e-320]).fit.features[0].temperature is None


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_weights_are_the_resampling_weights_of_a_search(temperature: float) -> None:
    scores = [0.2, 0.9, 0.99, 1.0, 0.0]
    fit = answer(traces=[{"scores": [score]} for score in scores], temperature=temperature).fit
    log_weights = smc.logit(scores) / temperature
    np.testing.assert_allclose(fit.weights, smc.normalise(log_weights), atol=1e-15)
    assert fit.ess == pytest.approx(smc.ess(log_weights))
    assert fit.ess == pytest.approx(float(hill(fit.weights, 2)))
    assert np.log(fit.effective) == pytest.approx(smc.entropy(log_weights))
    assert fit.log_z == pytest.approx(smc.log_sum(log_weights))
    odds = next(one for one in fit.features if one.name == "log_odds")
    assert odds.temperature == pytest.approx(temperature)


def test_traces_are_rows_and_a_mean_is_a_constraint() -> None:
    traces = [
        {"steps": ["a"], "scores": [score], "correct": score > 0.5, "judges": {"big": score + 1}} for score in (0.1, 0.4, 0.8)
    ]
    fit = answer(traces=traces, mean=["correct=0.6", "big=1.6"]).fit
    means = {one.name: one.mean for one in fit.features}
    assert list(means) == ["log_odds", "first_score", "lowest_score", "last_score", "n_steps", "correct", "big"]
    assert (means["correct"], means["big"], means["last_score"]) == pytest.approx((0.6, 1.6, 0.6))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"features": [[1.0]]}, "targets"),
        ({"features": [[1.0]], "targets": [1.0], "multipliers": [1.0]}, "targets"),
        ({"features": [[1.0], [2.0]], "targets": [1.5, 1.0]}, "targets"),
        ({"features": [[1.0], [2.0]], "multipliers": [1.5, 1.0]}, "multipliers"),
        ({"features": [[1.0], [2.0, 1.0]], "multipliers": [1.5]}, "features.1"),
        ({"features": [[1.0] * 65], "multipliers": [1.0] * 65}, "features.0"),
        ({"features": [[1.0], [2.0]], "multipliers": [1.0], "names": ["a", "b"]}, "names"),
        ({"features": [[1.0], [2.0]], "multipliers": [1.0], "prior": [1.0]}, "prior"),
        ({"features": [[1.0], [2.0]], "multipliers": [1.0], "prior": [0.0, 0.0]}, "prior"),
        ({"features": [[1.0], [2.0]], "multipliers": [1.0], "prior": [1.0, 0.0], "compare": [1.0, 1.0]}, "compare.1"),
        ({"features": []}, "features"),
        ({"traces": [{"scores": [0.5]}]}, "traces"),
        ({"traces": [{"scores": [0.5]}], "mean": ["last_score"]}, "mean.0"),
        ({"traces": [{"scores": [0.5]}], "mean": ["last_score=x"]}, "mean.0"),
        ({"traces": [{"scores": [0.5]}], "mean": ["last_score=0.5"], "temperature": 1.0}, "temperature"),
        ({"traces": [{"scores": [0.5]}, {}], "temperature": 1.0}, "temperature"),
    ],
)
def test_invalid_features_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
