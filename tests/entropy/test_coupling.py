"""The Gibbs coupling: a discrete identity, two Gaussians in closed form, and Sinkhorn's plan from POT."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import ot
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray, hill, log_softmax
from epf.entropy.core.knee import knee
from epf.entropy.coupling.maths import costs, coupling, entropic_plan, eps_knee, matches, total_variation, uniform
from epf.entropy.registry import TOOLS
from epf.search.smc.weights import normalise

TOOL = TOOLS["coupling"]
EPS = st.floats(0.05, 50)

Case = tuple[FloatArray, float, FloatArray, FloatArray]


@st.composite
def problems(draw: st.DrawFn) -> Case:
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    cost = draw(arrays(float, (n, m), elements=st.floats(0, 10)))
    mu, nu = (draw(arrays(float, (k,), elements=st.floats(0.1, 1))) for k in (n, m))
    return cost, draw(EPS), mu / mu.sum(), nu / nu.sum()


def test_weights_of_known_distances() -> None:
    x, y = np.array([[0.0, 0.0]]), np.array([[1.0, 0.0], [2.0, 4.0]])
    found = coupling(costs(x, y, "euclidean"), 2.0, uniform(1), uniform(2)).q[0]
    np.testing.assert_allclose(found / found.sum(), np.array([0.60653066, 0.10687793]) / (0.60653066 + 0.10687793), rtol=1e-7)


def test_the_coupling_is_the_entropic_plan_between_its_own_marginals() -> None:
    cost = np.random.default_rng(0).random((6, 7)) * 3
    found = coupling(cost, 0.5, uniform(6), uniform(7))
    kernel = np.exp(-cost / 0.5)
    np.testing.assert_allclose(found.q, kernel / kernel.sum(), atol=1e-16)
    plan, converged = entropic_plan(cost, 0.5, found.x_marginal, found.y_marginal)
    assert converged
    np.testing.assert_allclose(plan, found.q, atol=1e-9)
    np.testing.assert_allclose(
        plan, ot.sinkhorn(found.x_marginal, found.y_marginal, cost, 0.5, method="sinkhorn_log"), atol=1e-9
    )


@pytest.mark.parametrize(
    ("eps", "correlation", "variance", "of_plan"),
    [
        (1.0, 0.5, 2 / 3, 0.6180339887),
        (0.1, 0.9090909091, 0.5238095238, 0.9512492197),
        (5.0, 1 / 6, 0.8571428571, 0.1925824036),
    ],
)
def test_two_standard_gaussians(eps: float, correlation: float, variance: float, of_plan: float) -> None:
    points = np.linspace(-8, 8, 161)
    weights = stats.norm.pdf(points)
    weights /= weights.sum()
    cost = (points[:, None] - points) ** 2 / 2
    found = coupling(cost, eps, weights, weights)
    assert points**2 @ found.x_marginal == pytest.approx(variance, abs=1e-9)
    assert points @ found.q @ points / variance == pytest.approx(correlation, abs=1e-9)
    plan, converged = entropic_plan(cost, eps, weights, weights)
    assert converged
    assert points @ plan @ points == pytest.approx(of_plan, abs=1e-7)
    np.testing.assert_allclose(plan.sum(axis=1), weights, atol=1e-8)
    # Both f and the tilted marginal are Gaussian: E f^2 / (E f)^2 in closed form.
    assert found.x_tilt == pytest.approx((eps + 2) / np.sqrt((eps + 1) * (eps + 3)) - 1, abs=1e-9)


@given(problems())
def test_marginals_tilts_and_their_bounds(problem: Case) -> None:
    cost, eps, mu, nu = problem
    found = coupling(cost, eps, mu, nu)
    assert found.q.sum() == pytest.approx(1)
    w = np.exp(-cost / eps)
    f, g = w @ nu, mu @ w
    np.testing.assert_allclose(found.x_marginal, mu * f / (mu @ f), atol=1e-12)
    np.testing.assert_allclose(found.y_marginal, nu * g / (nu @ g), atol=1e-12)
    assert found.x_tilt == pytest.approx(mu @ (f - mu @ f) ** 2 / (mu @ f) ** 2, rel=1e-6, abs=1e-12)
    assert found.y_tilt == pytest.approx(nu @ (g - nu @ g) ** 2 / (nu @ g) ** 2, rel=1e-6, abs=1e-12)
    assert 1 - 1e-9 <= found.ess <= cost.size + 1e-9
    assert found.marginal_gap <= np.sqrt(found.tilt) / 2 + 1e-12  # Cauchy and Schwarz
    plan, converged = entropic_plan(cost, eps, mu, nu)
    if converged:
        assert found.marginal_gap <= total_variation(found.q, plan) + 1e-8  # the joint distance is at least the marginal one


@given(problems(), st.floats(0.1, 10), st.floats(-5, 5), st.randoms())
def test_the_coupling_is_invariant_under_scale_shift_order_and_transposition(
    problem: Case, scale: float, shift: float, random: Random
) -> None:
    cost, eps, mu, nu = problem
    found = coupling(cost, eps, mu, nu)
    np.testing.assert_allclose(coupling(cost * scale + shift, eps * scale, mu, nu).q, found.q, atol=1e-9)
    rows = random.sample(range(len(mu)), len(mu))
    np.testing.assert_allclose(coupling(cost[rows], eps, mu[rows], nu).q, found.q[rows], atol=1e-12)
    turned = coupling(cost.T, eps, nu, mu)
    np.testing.assert_allclose(turned.q, found.q.T, atol=1e-12)
    assert turned.x_tilt == pytest.approx(found.y_tilt)
    assert turned.y_tilt == pytest.approx(found.x_tilt)


@given(arrays(float, st.integers(1, 20), elements=st.floats(-30, 30)), EPS)
def test_gibbs_weights_are_those_of_a_resampling_at_this_temperature(log_weights: FloatArray, temperature: float) -> None:
    found = coupling(-log_weights[None], temperature, uniform(1), uniform(log_weights.size))
    np.testing.assert_allclose(found.q[0], normalise(log_weights / temperature), atol=1e-12)
    np.testing.assert_allclose(found.q[0], np.exp(log_softmax(log_weights / temperature)), atol=1e-12)
    assert found.ess == pytest.approx(float(hill(normalise(log_weights / temperature), 2)))


def test_a_high_eps_pairs_independently_and_a_low_eps_pairs_only_the_nearest() -> None:
    cost = np.array([[0.0, 5.0, 9.0], [4.0, 1.0, 9.0]])
    high, low = (coupling(cost, eps, uniform(2), uniform(3)) for eps in (1e9, 1e-9))
    np.testing.assert_allclose(high.q, 1 / 6)
    assert high.tilt == pytest.approx(0, abs=1e-12)
    assert high.ess == pytest.approx(6)
    assert low.q.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert low.x_tilt == pytest.approx(1)
    assert low.y_tilt == pytest.approx(2)
    assert low.ess == 1
    plan, _ = entropic_plan(cost, 1e-4, uniform(2), uniform(3))
    np.testing.assert_allclose(plan, [[1 / 3, 0, 1 / 6], [0, 1 / 3, 1 / 6]], atol=1e-9)  # the optimal plan


def test_matches_do_not_underflow() -> None:
    cost = np.array([[0.0, 5.0], [900.0, 901.0], [3.0, 0.0]])
    found = matches(cost, 1.0, uniform(3), uniform(2))
    assert found.partner.tolist() == [0, 0, 1]
    assert found.mutual.tolist() == [True, False, True]
    assert found.probability[1] == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_knee_of_a_curve() -> None:
    x = np.arange(7.0)
    assert knee(x, [6, 3, 1, 0.8, 0.6, 0.4, 0.2]) == 2
    assert knee(x * 5, np.array([6, 3, 1, 0.8, 0.6, 0.4, 0.2]) * 3) == 2
    assert knee(x, np.full(7, 0.3)) == 0
    assert knee(x, -x) == 0
    assert knee([1], [1]) == 0
    assert eps_knee(np.exp(x), np.array([6, 3, 1, 0.8, 0.6, 0.4, 0.2])) == 2


def answer(**fields: Any) -> Any:
    return TOOL.answer(TOOL.input(**fields))


def test_an_answer_contains_the_tilt_the_plan_and_the_matches() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 3))
    y = x[::-1] + 0.01
    found = answer(x=x.tolist(), y=y.tolist(), kappa=[0.05], plan=True, matrices=True)
    assert (found.eps, found.chosen_by) == (pytest.approx(0.05 * np.sqrt(3)), "given")
    assert found.grid[0].kappa == pytest.approx(0.05)
    assert [match.y for match in found.matches] == [5, 4, 3, 2, 1, 0]
    assert found.n_mutual == 6
    weights, q, plan = (np.array(m) for m in (found.matrices.weights, found.matrices.coupling, found.matrices.plan))
    np.testing.assert_allclose(weights, np.exp(-costs(x, y, "euclidean") / found.eps))
    np.testing.assert_allclose(q, weights / weights.sum())
    assert found.plan.gap == pytest.approx(total_variation(q, plan))
    assert found.mean_cost < found.independent_cost
    of_costs = answer(costs=costs(x, y, "euclidean").tolist(), eps=[found.eps], plan=True)
    assert of_costs.plan == found.plan
    assert of_costs.grid[0].kappa is None


def test_eps_is_chosen_at_the_knee_and_a_large_tilt_leads_to_a_warning() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 2)).tolist(), (3 * rng.normal(size=(30, 2))).tolist()
    found = answer(x=x, y=y)
    tilts = [max(row.x_tilt, row.y_tilt) for row in found.grid]
    assert found.chosen_by == "knee"
    assert found.grid[0].eps < found.eps < found.grid[-1].eps
    assert tilts[-1] < 0.05
    assert "not negligible" in answer(x=x, y=y, eps=[0.1]).warnings[0]
    assert not answer(x=x, y=y, eps=[100.0]).warnings


def test_traces_are_split_by_a_label() -> None:
    def trace(steps: list[str], correct: bool, model: str, scores: Sequence[float] = (0.5,)) -> dict[str, Any]:
        return {"steps": steps, "correct": correct, "labels": {"model": model}, "scores": list(scores)}

    traces = [
        trace(["3 + 4 = 7."], True, "a"), trace(["a cat"], False, "b", [0.2]), trace(["3 + 4 = 7!"], False, "b", [0.6]),
        trace(["A cat"], True, "c"),
    ]  # fmt: skip
    found = answer(traces=traces, vectors="words", eps=[0.1])
    assert [match.y for match in found.matches] == [1, 0]
    assert found.matches[1].cost == pytest.approx(0)
    by_score = answer(traces=traces, eps=[0.1], split="model", between=["b", "a"])
    assert (by_score.n_x, by_score.n_y) == (2, 1)
    assert [match.cost for match in by_score.matches] == pytest.approx([4 * 0.3, 4 * 0.1])  # 16 points with the same difference


VECTORS = {"x": [[0.0, 1.0]], "y": [[1.0, 1.0]]}
TRACES = [{"scores": [0.5], "correct": True}, {"scores": [0.5], "correct": False}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"x": [[1.0]]}, "y"),
        ({**VECTORS, "y": [[1.0]]}, "y.0"),
        ({**VECTORS, "y": [[1.0, 2.0], [1.0]]}, "y.1"),
        ({**VECTORS, "costs": [[1.0]]}, "costs"),
        ({"costs": [[1.0]], "kappa": [1.0]}, "kappa"),
        ({**VECTORS, "kappa": [1.0], "eps": [1.0]}, "kappa"),
        ({**VECTORS, "eps": [1.0, 2.0]}, "eps"),
        ({"x": [[1.0]], "y": [[1.0], [0.0]], "metric": "cosine"}, "y.1"),
        ({"x": [[1.0]] * 3000, "y": [[1.0]] * 3000}, "x"),
        ({"x": [[1.0]] * 1100, "y": [[1.0]] * 1000, "eps": [1.0], "plan": True}, "plan"),
        ({"x": [[1.0]] * 600, "y": [[1.0]] * 600, "eps": [1.0], "matrices": True}, "matrices"),
        ({"traces": TRACES[:1]}, "split"),
        ({"traces": TRACES, "between": ["true"]}, "between"),
        ({"traces": TRACES, "between": ["true", "b"]}, "between.1"),
        ({"traces": [*TRACES, {"correct": True}]}, "traces.2.scores"),
        ({"traces": TRACES, "vectors": "logprobs"}, "traces.0.logprobs"),
        ({"traces": TRACES, "vectors": "words"}, "traces.0.steps"),
    ],
)
def test_inconsistent_input_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
