"""Epiplexity of loss curves, teaching and scaling laws against published values and closed forms; runs, sequences, traces."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray
from epf.entropy.epiplexity.maths import TwoPart, flops, frontier, lower_hull, prequential, requential
from epf.entropy.epiplexity.scaling import ScalingLaw, optimum
from epf.entropy.registry import TOOLS

TOOL = TOOLS["epiplexity"]
BITS = np.log(2.0)
LAWS = {
    "language": (0.339, 0.285, 4.91e7, 1.49e9, 1.69, 7.947e10, 2.720e12, 8.996e10),
    "images in VQ 16": (0.322, 0.441, 2.7e4, 4.44e7, 4.23, 1.263e10, 6.126e12, 1.370e10),
    "images in VQ 32": (0.287, 0.560, 1.9e4, 1.63e8, 3.32, 1.243e10, 4.810e12, 1.389e10),
    "video in VQ": (0.428, 0.718, 3.7e4, 1.79e8, 1.15, 7.244e9, 1.663e12, 7.492e9),
    "images of 32": (0.258, 0.399, 63, 1.95e6, 2.30, 4.504e9, 3.329e12, 5.047e9),
    "images of 16": (0.307, 0.820, 280, 8.94e7, 2.68, 2.907e9, 3.869e12, 3.146e9),
    "images of 8": (0.331, 0.566, 80, 2.66e6, 3.14, 1.190e9, 4.532e12, 1.315e9),
}


def answer(**fields: Any) -> Any:
    return TOOL.answer(TOOL.input(**fields))


def test_the_area_of_a_known_curve() -> None:
    t = np.arange(1.0, 10_001.0)
    loss = 1.0 + t**-0.5
    assert prequential(t, loss, rule="sum")[-1] == pytest.approx(98.5446, abs=5e-5)
    assert prequential(t, loss)[-1] == pytest.approx(98.0496, abs=5e-5)
    assert ScalingLaw(0.5, 0.5, 1.0, 1.0, 1.0).structure(10_000) == pytest.approx(100)


@given(arrays(float, st.integers(2, 12), elements=st.floats(0, 10)), st.floats(-5, 5), st.floats(0.1, 10))
def test_the_length_ignores_shifts_of_the_loss_and_is_positive_for_a_falling_curve(
    loss: FloatArray, shift: float, scale: float
) -> None:
    t = np.cumsum(np.arange(1.0, loss.size + 1))
    for rule in ("trapezoid", "sum"):
        length = prequential(t, loss, rule=rule)
        np.testing.assert_allclose(prequential(scale * t, loss + shift, rule=rule), scale * length, atol=1e-6)
        falling = prequential(t, np.sort(loss)[::-1], rule=rule)
        assert (falling >= -1e-9).all()
        assert (np.diff(falling) >= -1e-9).all()


def test_teaching_costs_the_divergence_and_one_message_per_step() -> None:
    found = requential(np.array([3.0, 0.0, 7.0]) * BITS)
    np.testing.assert_allclose(found.kl / BITS, [3, 3, 10])
    np.testing.assert_allclose(found.coded / BITS, [3 + 2 + 4, 9 + 4, 13 + 7 + 3 + 4])
    np.testing.assert_allclose(found.coded_universal / BITS, [3 + 4 + 5.21, 12.21 + 5.21, 17.42 + 7 + 6 + 5.21])


@pytest.mark.parametrize("name", LAWS)
def test_scaling_laws_reproduce_the_published_table(name: str) -> None:
    alpha, beta, n0, d0, e, structure, noise, limit = LAWS[name]
    found = optimum(ScalingLaw(alpha, beta, n0, d0, e), 1e25, 1e12)
    assert found.structure / BITS == pytest.approx(structure, rel=6e-4)
    assert found.noise / BITS == pytest.approx(noise, rel=3e-4)
    assert found.structure_limit / BITS == pytest.approx(limit, rel=6e-4)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0, 9), st.floats(0, 9), st.floats(10, 30), st.floats(3, 15))
def test_no_other_split_of_the_compute_gives_a_shorter_code(
    alpha: float, beta: float, log_n0: float, log_d0: float, log_compute: float, log_test: float
) -> None:
    law, compute, test_tokens = ScalingLaw(alpha, beta, 10**log_n0, 10**log_d0, 0.0), 10**log_compute, 10**log_test

    def total(tokens: float) -> float:
        return law.structure(tokens) + test_tokens * law.loss(compute / (2 * (3 * tokens + test_tokens)), tokens)

    found = optimum(law, compute, test_tokens)
    assert 0 < found.tokens <= test_tokens
    assert flops(found.parameters, found.tokens, test_tokens) == pytest.approx(compute)
    for factor in (0.5, 0.99, 1.01, 2.0):
        assert total(factor * found.tokens) >= total(found.tokens) * (1 - 1e-12)


@given(arrays(float, st.tuples(st.integers(1, 30), st.just(2)), elements=st.integers(-9, 9)))
def test_no_point_lies_below_the_hull(points: FloatArray) -> None:
    x, y = points.T
    hull = lower_hull(x, y)
    assert x[hull[0]] == x.min()
    assert y[hull[-1]] == y.min()
    assert (np.diff(x[hull]) > 0).all()
    assert (np.diff(y[hull]) < 0).all()
    assert (np.diff(np.diff(y[hull]) / np.diff(x[hull])) > 0).all()
    between = (x >= x[hull[0]]) & (x <= x[hull[-1]])
    assert (y[between] >= np.interp(x[between], x[hull], y[hull]) - 1e-9).all()


def test_the_median_point_on_the_hull_represents_a_model() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    one = TwoPart(x, np.zeros(4), 100.0 - np.array([0.0, 40.0, 60.0, 70.0]))
    other = TwoPart(x + 4.0, np.ones(4), np.array([20.0, 18.0, np.nan, 30.0]))
    assert [(at.model, at.index) for at in frontier([one, other])] == [(0, 1), (1, 0)]


def test_runs_of_several_sizes_agree_with_their_scaling_law() -> None:
    law, test_tokens = ScalingLaw(0.34, 0.28, 4e2, 4e3, 1.7), 1e8
    tokens = np.geomspace(1, test_tokens, 400)
    runs = [
        {"name": f"{n:.0f}", "parameters": n, "tokens": tokens.tolist(), "loss": [law.loss(n, d) for d in tokens]}
        for n in np.geomspace(1e3, 1e7, 40)
    ]
    found = answer(runs=runs, test_tokens=test_tokens, unit="nats")
    assert found.estimator == "prequential"
    compared = [point for point in found.frontier if 1e12 < point.compute < 2e15]
    assert len(compared) > 5
    for point in compared:
        expected = optimum(law, point.compute, test_tokens)
        assert point.total == pytest.approx(expected.structure + expected.noise, rel=0.002)
        assert point.structure == pytest.approx(expected.structure, rel=0.25)
    assert [point.total for point in found.frontier] == sorted((point.total for point in found.frontier), reverse=True)


def test_a_final_loss_replaces_the_last_loss() -> None:
    run = {"tokens": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 2.0]}
    given_last = answer(runs=[{**run, "final_loss": 1.5}], test_tokens=10, rule="sum", unit="nats")
    assert given_last.structure == pytest.approx(7 - 3 * 1.5)
    assert given_last.noise == pytest.approx(15)
    assert (given_last.frontier, given_last.models[0].compute) == ([], None)
    assert answer(runs=[run], test_tokens=10, rule="sum", unit="nats").structure == pytest.approx(7 - 3 * 2)


def test_units_of_input_and_output_are_converted() -> None:
    run = {"tokens": [10.0, 20.0], "kl": [0.3, 0.1], "final_loss": 2.0}
    as_nats = answer(runs=[run], test_tokens=100, unit="nats")
    assert as_nats.structure == pytest.approx(4)
    assert as_nats.noise == pytest.approx(200)
    in_bits = answer(runs=[run], test_tokens=100, loss_unit="bits")
    assert (in_bits.structure, in_bits.noise) == (pytest.approx(4), pytest.approx(200))
    (model,) = in_bits.models
    assert model.structure_coded == pytest.approx(4 + 2 * 4 + np.log2(4) + np.log2(2))
    assert model.structure_coded_universal == pytest.approx(4 + 2 * 5.21 + 2 * np.log2(4) + 2 * np.log2(2))


def test_a_learned_or_taught_die_has_little_structure_and_its_rolls_are_noise() -> None:
    """Teacher and student learn the distribution of a die by counting; the student counts rolls from the teacher's estimate."""
    rng, n_pairs, n, law = np.random.default_rng(2), 60, 3000, np.array([0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    teacher, student = (np.full((n_pairs, 6), 0.5) for _ in range(2))
    losses, divergences = [], []
    for _ in range(n):
        p = teacher / teacher.sum(axis=1, keepdims=True)
        losses.append(-(np.log(p) @ law))  # mean over rolls
        teacher += rng.multinomial(1, law, size=n_pairs)
        p, q = (counts / counts.sum(axis=1, keepdims=True) for counts in (teacher, student))
        divergences.append((p * np.log(p / q)).sum(axis=1))
        student += rng.multinomial(1, p)
    tokens, final = np.arange(1.0, n + 1).tolist(), -(np.log(p) @ law)
    learned, taught = [], []
    for loss, kl, last in zip(np.transpose(losses), np.transpose(divergences), final, strict=True):
        asked = {"test_tokens": n, "rule": "sum"}
        learned.append(answer(runs=[{"tokens": tokens, "loss": loss.tolist(), "final_loss": last}], **asked))
        taught.append(answer(runs=[{"tokens": tokens, "kl": kl.tolist(), "final_loss": last}], **asked))
    for one, other in zip(learned, taught, strict=True):
        assert one.noise == other.noise == pytest.approx(-n * (law @ np.log2(law)), rel=0.01)
        assert 0 < other.structure < 0.02 * other.noise
    # Redundancy of a code that learns five probabilities (Clarke and Barron 1990), minus the error that remains at the end.
    redundancy = 5 / 2 * np.log(n / (2 * np.pi * np.e)) + np.log(np.pi**3 / 2) - 5 / 2
    assert np.mean([one.structure for one in learned]) == pytest.approx(redundancy / BITS, abs=2)


def test_sequences_are_encoded_by_six_orders() -> None:
    rng = np.random.default_rng(3)
    sequences = [(np.cumsum(rng.integers(0, 2, 50)) % 7 + 1000).tolist() for _ in range(60)]
    found = answer(sequences=sequences)
    assert (found.estimator, found.symbols, found.test_tokens) == ("n-gram", 7, 3000)
    assert [model.name for model in found.models] == [f"order {order}" for order in range(6)]
    assert found.best == "order 1"
    assert found.noise / found.test_tokens == pytest.approx(1, abs=0.05)
    assert found.structure + found.noise == pytest.approx(min(model.total for model in found.models))
    assert found.curve[-1].tokens == 3000
    lengths = np.diff([point.tokens for point in found.curve], prepend=0) * [point.loss for point in found.curve]
    assert lengths.sum() == pytest.approx(found.structure + found.noise)


def test_traces_become_token_ids_if_all_have_them_and_otherwise_characters() -> None:
    with_ids = {"steps": ["ab", "c"], "token_ids": [[5, 6], [7]]}
    assert answer(traces=[with_ids]).test_tokens == 3
    found = answer(traces=[with_ids, {"steps": ["ab"]}])
    assert (found.test_tokens, found.symbols) == (6, 4)
    assert not found.warnings
    assert "1 of 2 sequences" in answer(traces=[with_ids, with_ids]).warnings[0]


def run_of(**fields: Any) -> dict[str, Any]:
    return {"runs": [{"tokens": [1.0, 2.0, 4.0], "loss": [3.0, 2.0, 1.0], **fields}], "test_tokens": 10.0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, None),
        ({"loss": [3.0, 1.0, 1.5]}, "rises at 1 of 2 points"),
        ({"final_loss": 1.2}, "more than once"),
        ({"loss": [1.0, 1.0, 3.0]}, "is not the length of a model"),
    ],
)
def test_curves_that_violate_the_assumptions_lead_to_a_warning(fields: dict[str, Any], message: str | None) -> None:
    warnings = answer(**run_of(**fields)).warnings
    assert any(message in warning for warning in warnings) if message else not warnings


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (run_of(loss=[3.0, 2.0]), "runs.0.loss"),
        (run_of(tokens=[1.0, 3.0, 3.0]), "runs.0.tokens.2"),
        (run_of(tokens=[1.0], loss=[1.0]), "runs.0.loss"),
        (run_of(epoch_tokens=2.0), "runs.0.tokens.2"),
        ({**run_of(), "test_tokens": None}, "test_tokens"),
        ({"runs": [*run_of()["runs"], *run_of()["runs"]], "test_tokens": 1.0}, "runs.0.parameters"),
        ({"runs": [*run_of(parameters=1.0)["runs"], *run_of(kl=[1.0] * 3)["runs"]], "test_tokens": 1.0}, "runs.1.parameters"),
        (
            {"runs": [*run_of(parameters=1.0)["runs"], *run_of(parameters=1.0, kl=[1.0] * 3)["runs"]], "test_tokens": 1.0},
            "runs.1.kl",
        ),
        ({"runs": [{"tokens": [1.0], "kl": [1.0], "parameters": 1.0}] * 2, "test_tokens": 1.0}, "runs.0.loss"),
        ({"runs": []}, "runs"),
        ({**run_of(), "sequences": [[1]]}, "sequences"),
        ({"sequences": [[1], []]}, "sequences.1"),
        ({"sequences": [[1] * 2_000_001]}, "sequences"),
        ({"law": {"alpha": 0.3, "beta": 0.3, "n0": 1.0, "d0": 1.0, "e": 1.0}, "test_tokens": 1.0}, "compute"),
        ({"traces": [{"answer": "4"}]}, "traces"),
    ],
)
def test_invalid_runs_sequences_and_laws_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
