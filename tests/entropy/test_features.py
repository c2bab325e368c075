"""Effective numbers of features, answers and particles: exact values, coverage of intervals, recovery of features."""

import math
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import ArrayLike
from scipy import optimize

from benchmarks.entropy.superposition import DENSITIES, correlation, counted
from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray, hill
from epf.entropy.features.autoencoder import fit, loss_and_gradients
from epf.entropy.features.maths import Effective, effective_features, effective_values
from epf.entropy.registry import TOOLS
from epf.search.smc.weights import ess

CODES = [[1.0, 0.0, 2.0, 0.0], [3.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]


def of(codes: ArrayLike, resamples: int = 0) -> Effective:
    return effective_features(np.array(codes, dtype=float), resamples=resamples, rng=np.random.default_rng(0))


def answer(**fields: Any) -> Any:
    return TOOLS["features"].answer(TOOLS["features"].input(**fields))


def test_exact_values() -> None:
    assert of([[2, 1, 1]]).number == pytest.approx(2 * math.sqrt(2), abs=1e-12)
    found = of(CODES)
    assert found.shares.tolist() == [0.5, 0.125, 0.375, 0]
    assert found.number == pytest.approx(2.6493511286, abs=1e-10)
    assert found.active == 3
    assert found.order_2 == pytest.approx(1 / (0.25 + 0.015625 + 0.140625))
    assert of(np.ones((3, 64))).number == pytest.approx(64)
    assert of([[0, 5, 0, 0]] * 3, resamples=50).number == 1


@given(
    arrays(
        float, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(-(10**6), 10**6).map(lambda k: k / 10**4)
    ),
    st.floats(0.01, 100),
    st.randoms(),
)
def test_the_number_ignores_scale_sign_and_order_and_is_at_most_the_active_features(
    codes: FloatArray, scale: float, random: Random
) -> None:
    found = of(codes)
    features, samples = (random.sample(range(n), n) for n in codes.shape[::-1])
    other = of(-scale * codes[samples][:, features])
    assert other.number == pytest.approx(found.number, rel=1e-6)
    assert found.number == 0 if not codes.any() else 1 - 1e-9 <= found.number <= found.active + 1e-9
    assert found.order_2 <= found.number + 1e-9


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_values_are_counted_as_one_hot_codes(values: list[int]) -> None:
    counts = np.bincount(values, minlength=5)
    counted = effective_values(counts, resamples=0, rng=np.random.default_rng(0))
    assert counted.number == pytest.approx(of(np.eye(5)[values]).number)
    assert counted.number == pytest.approx(float(hill(counts / counts.sum(), 1)))


def contains(found: Effective, value: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= value <= found.high


def test_95_percent_intervals_contain_the_truth_about_that_often() -> None:
    rng = np.random.default_rng(0)
    p = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
    truth = float(hill(p, 1))
    held = coded = 0
    for _ in range(200):
        samples = rng.choice(6, size=120, p=p)
        found = effective_values(np.bincount(samples, minlength=6), resamples=200, rng=rng)
        held += contains(found, truth)
        found = effective_features(np.eye(6)[samples], resamples=200, rng=rng)
        coded += contains(found, truth)
    assert 180 <= held <= 199
    assert 180 <= coded <= 199


def test_an_interval_contains_the_number_itself_even_if_all_samples_differ() -> None:
    found = effective_values(np.ones(9, dtype=int), resamples=200, rng=np.random.default_rng(0))
    assert contains(found, found.number)
    assert found.number == pytest.approx(9)


def test_one_sample_has_no_interval() -> None:
    assert of([[1, 2]], resamples=10).low is None
    assert effective_values(np.array([1]), resamples=10, rng=np.random.default_rng(0)).high is None


def test_the_autoencoder_s_gradient_agrees_with_finite_differences() -> None:
    rng = np.random.default_rng(0)
    x, dictionary, bias = rng.normal(size=(7, 3)), rng.normal(size=(3, 5)), rng.normal(size=5)

    def loss(flat: FloatArray) -> float:
        return loss_and_gradients(x, flat[:15].reshape(3, 5), flat[15:], 0.3)[0]

    _, gradients = loss_and_gradients(x, dictionary, bias, 0.3)
    numeric = optimize.approx_fprime(np.concatenate([dictionary.ravel(), bias]), loss, 1e-7)
    np.testing.assert_allclose(np.concatenate([part.ravel() for part in gradients]), numeric, atol=1e-5)


def states(n_features: int, rng: np.random.Generator, d: int = 24) -> FloatArray:
    """Sums of three out of ``n_features`` orthogonal directions."""
    directions = np.linalg.qr(rng.normal(size=(d, d)))[0][:, :n_features]
    codes = np.zeros((1500, n_features))
    for row in codes:
        row[rng.choice(n_features, 3, replace=False)] = rng.uniform(0.5, 1.5, 3)
    return np.asarray(codes @ directions.T)


@pytest.mark.parametrize("n_features", [10, 16, 22])
@pytest.mark.slow
def test_the_autoencoder_finds_the_number_of_features_in_the_states(n_features: int) -> None:
    x = states(n_features, np.random.default_rng(n_features))
    found = fit(x, width=48, sparsity=0.2, epochs=800, seed=0)
    assert of(found.codes).number == pytest.approx(n_features, rel=0.05)
    assert found.explained > 0.9
    assert found.per_state == pytest.approx(3, abs=0.3)
    again = fit(1e3 * x, width=48, sparsity=0.2, epochs=800, seed=0)
    assert of(again.codes).number == pytest.approx(of(found.codes).number, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.slow
def test_the_count_follows_the_features_that_a_model_holds_in_superposition(seed: int) -> None:
    pairs = [counted(density, seed) for density in DENSITIES]
    assert pairs[0][0] == pytest.approx(14, abs=1)
    assert pairs[-1][0] == pytest.approx(40, abs=1)
    assert correlation(pairs) >= 0.94, pairs


def test_groups_are_counted_separately() -> None:
    found = answer(activations=CODES, groups=[True, 1, True], neurons=2)
    assert [(group.group, group.n_samples) for group in found.groups] == [(True, 2), (1, 1)]
    assert found.groups[0].effective == pytest.approx(of([CODES[0], CODES[2]]).number)
    assert found.whole.psi == pytest.approx(2.6493511286 / 2)
    assert [(top.feature, top.share) for top in found.top] == [(0, 0.5), (2, 0.375), (1, 0.125)]
    labels = answer(labels=["a", "b", "a", 1, True], groups=["x", "x", "x", "y", "y"])
    assert [group.active for group in labels.groups] == [2, 2]
    assert labels.whole.active == 4
    assert labels.mean == pytest.approx(np.mean([group.effective for group in labels.groups]))
    assert "2 of 2 groups" in labels.warnings[0]


def test_a_given_encoder_is_used() -> None:
    found = answer(
        activations=[[1.0, 2.0], [0.0, 1.0]],
        kind="hidden_states",
        encoder=[[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]],
        encoder_bias=[0.0, -1.0, 0.0],
    )
    assert found.fitted is None
    assert found.whole.effective == pytest.approx(2)  # codes (1, 1, 0) and (0, 0, 0)
    assert found.whole.psi == pytest.approx(1)


def test_hidden_states_are_fitted_and_limits_of_the_count_lead_to_a_warning() -> None:
    x = states(22, np.random.default_rng(0)).tolist()
    found = answer(activations=x[:300], kind="hidden_states", expansion=1, sparsity=0.0, epochs=5, resamples=0)
    assert (found.fitted.width, found.fitted.epochs, found.whole.psi <= 1) == (24, 5, True)
    assert "width of the autoencoder" in found.warnings[0]
    poor = answer(activations=x[:20], kind="hidden_states", epochs=1, sparsity=50.0)
    assert "are not the states' features" in poor.warnings[-1]
    assert "no feature is active" in answer(activations=[[0.0, 0.0]]).warnings[0]


def test_traces_are_counted_by_problem() -> None:
    traces = [
        {"problem": problem, "answer": given, "log_weight": weight}
        for problem, given, weight in (
            ("p", "1", 0.0),
            ("q", None, -2.0),
            ("p", "2", -1.0),
            ("p", "1", None),
            ("q", None, -2.0),
        )
    ]
    answers = answer(traces=traces)
    assert [(group.group, group.active) for group in answers.groups] == [(0, 2), (1, 1)]
    assert answers.groups[0].effective == pytest.approx(float(hill([2 / 3, 1 / 3], 1)))
    assert answers.whole is None
    alone = answer(traces=[trace for trace in traces if trace["problem"] == "p"])
    assert (alone.whole.active, alone.groups) == (2, [])
    particles = answer(traces=traces, of="particles")
    assert [group.order_2 for group in particles.groups] == pytest.approx([ess([0.0, -1.0, -math.inf]), 2])
    assert particles.groups[0].low is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "activations"),
        ({"activations": CODES, "labels": ["a"]}, "labels"),
        ({"activations": [[1.0], [1.0, 2.0]]}, "activations.1"),
        ({"activations": CODES, "groups": ["a"]}, "groups"),
        ({"activations": CODES, "encoder": [[1.0]]}, "encoder"),
        ({"activations": CODES, "kind": "hidden_states", "encoder": [[1.0]]}, "encoder"),
        ({"activations": CODES, "kind": "hidden_states", "encoder_bias": [1.0]}, "encoder_bias"),
        ({"activations": CODES[:1], "kind": "hidden_states"}, "activations"),
        ({"activations": [[1.0] * 500] * 500, "kind": "hidden_states", "epochs": 10_000}, "epochs"),
        ({"activations": [[1.0] * 2500] * 500, "resamples": 10_000}, "resamples"),
        ({"labels": [True] * 50_000, "resamples": 10_000}, "resamples"),
        ({"activations": [[1.0] * 600] * 500, "kind": "hidden_states", "expansion": 64}, "expansion"),
        ({"labels": ["a", "b"], "neurons": 3}, "neurons"),
        ({"traces": [{"answer": "1"}], "groups": ["a"]}, "groups"),
        ({"traces": [{"correct": True}]}, "traces.0.answer"),
        ({"traces": [{"answer": "1"}], "of": "particles"}, "traces.0.log_weight"),
        ({"traces": [{"problem": name, "answer": "1"} for name in "pqr"]}, "traces"),
        ({"traces": [{"problem": name, "log_weight": 0.0} for name in "pq"], "of": "particles"}, "traces"),
        ({"traces": [{"answer": "1"}]}, "traces"),
    ],
)
def test_inconsistent_samples_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
