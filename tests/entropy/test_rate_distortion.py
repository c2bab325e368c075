"""The audit: cells of priors, the length of a real coder, high-resolution theory, and decisions."""

from random import Random
from typing import Any

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray, IntArray, entropy_of_counts
from epf.entropy.rate_distortion.coding import PRECISION, encode, information, model, table
from epf.entropy.rate_distortion.maths import Task, folds_of, rate
from epf.entropy.rate_distortion.priors import PRIORS, Prior, cells, probabilities, rounded
from epf.entropy.rate_distortion.probe import probes
from epf.entropy.registry import TOOLS

TOOL = TOOLS["rate-distortion"]

Case = tuple[FloatArray, float, Prior]


@st.composite
def streams(draw: st.DrawFn) -> tuple[FloatArray, IntArray]:
    p = draw(arrays(float, st.integers(2, 40), elements=st.one_of(st.just(0.0), st.floats(1e-9, 1))))
    p[draw(st.integers(0, p.size - 1))] += 1
    symbols = draw(arrays(np.intp, st.integers(0, 300), elements=st.integers(0, p.size - 1)))
    return p / p.sum(), symbols


def test_cells_of_the_logistic_prior() -> None:
    p = cells(stats.logistic.cdf, np.arange(-39.5, 40.5), 0.0, 1.0)[40:44]
    np.testing.assert_allclose(p, [0.2449186624, 0.1951151450, 0.1065673438, 0.0465459493], atol=5e-11)
    np.testing.assert_allclose(-np.log2(p), [2.02962539, 2.35760233, 3.23016268, 4.42520057], atol=5e-9)
    assert p[0] == pytest.approx(np.tanh(0.25), rel=1e-14)


def test_cells_far_out_do_not_vanish() -> None:
    p = cells(stats.norm.cdf, np.arange(-29.5, 30.5), 0.0, 1.0)
    np.testing.assert_allclose(p, p[::-1], rtol=1e-12)
    assert (p[:-1] > 0).all()


@given(
    st.sampled_from(sorted(PRIORS)), arrays(float, st.integers(1, 30), elements=st.floats(-50, 50)), st.integers(0, 20)
)  # fmt: skip
def test_priors_are_distributions_over_possible_symbols(prior: Prior, values: FloatArray, wider: int) -> None:
    symbols = rounded(values)
    p = probabilities(prior, values, symbols.min() - wider, symbols.max() + wider)
    assert p.size == np.ptp(symbols) + 2 * wider + 1
    assert p.sum() == pytest.approx(1)
    assert (p >= 0).all()
    frequencies = table(p)
    assert frequencies.sum() == 2**PRECISION
    assert frequencies.min() >= 1
    np.testing.assert_allclose(frequencies / 2**PRECISION, p, atol=(p.size + 1) / 2**PRECISION)


def test_unseen_values_cost_at_most_one_bit_more_than_under_the_logistic_prior() -> None:
    values = np.random.default_rng(0).normal(0, 1000, 200)
    edges = np.arange(-3999.5, 4000.5)
    ratio = PRIORS["factorised"](values, edges) / PRIORS["logistic"](values, edges)
    assert ratio.min() == pytest.approx(0.5, abs=0.05)


@given(streams())
def test_the_coder_is_at_least_as_long_as_the_information_and_decodes_correctly(stream: tuple[FloatArray, IntArray]) -> None:
    p, symbols = stream
    frequencies = table(p)
    bits = information(symbols, frequencies).sum()
    words = encode([(symbols, frequencies)])
    assert bits <= 32 * words.size <= bits + 64 + symbols.size / 100
    read = constriction.stream.queue.RangeDecoder(words).decode(model(frequencies), symbols.size)
    np.testing.assert_array_equal(read, symbols)


@pytest.mark.parametrize("symbol", range(4))
def test_the_coder_uses_exactly_the_probabilities_of_the_table(symbol: int) -> None:
    """In a long stream of one symbol, an error of 2^-24 in the probability of a rare symbol is visible."""
    frequencies = table(np.array([0.7, 0.2, 1e-7, 0.1]))
    assert 32 * encode([(np.full(200_000, symbol), frequencies)]).size == pytest.approx(
        200_000 * (PRECISION - np.log2(frequencies[symbol])), rel=1e-3
    )


@pytest.mark.parametrize("prior", PRIORS)
def test_small_steps_agree_with_high_resolution_theory(prior: Prior) -> None:
    """A uniform rounding at small steps needs 1/2 log2(2 pi e / 12) = 0.2546 bits more than R(D) of a Gaussian."""
    vectors = np.random.default_rng(1).normal(0, [1.0, 3.0], (20_000, 2))
    found = rate(vectors, 0.25, prior, folds_of(np.arange(20_000)))
    mse = ((found.values - vectors) ** 2).mean(axis=0)
    np.testing.assert_allclose(mse, 0.25**2 / 12, rtol=0.03)
    least = (0.5 * np.log2(vectors.var(axis=0) / (0.25**2 / 12))).sum()
    expected = least + 2 * 0.5 * np.log2(2 * np.pi * np.e / 12)
    x = np.linspace(-8, 8, 1601)
    p, q = stats.norm.pdf(x), stats.logistic.pdf(x, scale=np.sqrt(2 / np.pi) / (2 * np.log(2)))
    mismatch = 2 * stats.entropy(p, q, base=2) if prior == "logistic" else 0.0  # divergence from a logistic prior
    assert found.bits / 20_000 == pytest.approx(expected + mismatch, abs=0.015)
    assert found.bits / 20_000 > least
    assert found.coded_bits == pytest.approx(found.bits, rel=1e-3)


@st.composite
def tables_of_vectors(draw: st.DrawFn) -> Case:
    shape = st.tuples(st.integers(2, 30), st.integers(1, 3))
    return (
        draw(arrays(float, shape, elements=st.floats(-20, 20))),
        draw(st.floats(0.1, 60)),
        draw(st.sampled_from(sorted(PRIORS))),
    )


@given(tables_of_vectors())
def test_bits_are_between_entropy_and_coded_length(case: Case) -> None:
    vectors, step, prior = case
    folds = folds_of(np.arange(len(vectors)))
    found = rate(vectors, step, prior, folds)
    assert np.abs(found.values - vectors).max() <= step / 2 * (1 + 1e-9)
    assert found.bits <= found.coded_bits <= found.bits + 64 + vectors.size / 100
    least = sum(
        (folds == fold).sum() * entropy_of_counts(np.unique(column[folds == fold], return_counts=True)[1]) / np.log(2)
        for fold in np.unique(folds)
        for column in found.values.T
    )
    assert found.bits >= least - 1e-6  # all rows of a fold share one code


@given(tables_of_vectors(), st.randoms())
def test_bits_ignore_scale_and_order_of_columns(case: Case, random: Random) -> None:
    vectors, step, prior = case
    folds = folds_of(np.arange(len(vectors)))
    vectors = np.round(vectors / step * 8) * step / 8 + step / 50  # keep values away from edges, where rounding decides
    found = rate(vectors, step, prior, folds)
    columns = random.sample(range(vectors.shape[1]), vectors.shape[1])
    assert rate(vectors[:, columns], step, prior, folds).bits == pytest.approx(found.bits)
    assert rate(vectors * 2, step * 2, prior, folds).bits == pytest.approx(found.bits)


def test_a_prior_that_has_seen_the_rows_is_too_good() -> None:
    vectors = np.random.default_rng(2).normal(size=(40, 5))
    honest = rate(vectors, 0.2, "factorised", folds_of(np.arange(40)))
    symbols = rounded((vectors - np.median(vectors, axis=0)) / 0.2)
    in_sample = sum(40 * entropy_of_counts(np.unique(column, return_counts=True)[1]) / np.log(2) for column in symbols.T)
    assert honest.bits > 1.1 * in_sample


def test_groups_stay_together() -> None:
    groups = np.repeat(np.arange(7), 3)
    folds = folds_of(groups)
    assert set(folds) == set(range(5))
    assert all(len(set(folds[groups == group])) == 1 for group in range(7))


def read(x: FloatArray, y: FloatArray, folds: IntArray) -> FloatArray:
    found = np.empty(y.shape)
    for probe in probes(x, y, folds):
        found[probe.rows] = probe.read(x[probe.rows])
    return found


def test_the_probe_predicts_linear_targets_and_ignores_noise() -> None:
    rng = np.random.default_rng(3)
    x, folds = rng.normal(size=(60, 4)), folds_of(np.arange(60))
    y = x @ rng.normal(size=(4, 2)) + 3
    np.testing.assert_allclose(read(x, y, folds), y, atol=1e-5)
    of_noise = read(rng.normal(size=(60, 50)), y, folds)
    assert ((of_noise - y) ** 2).mean() < 1.1 * y.var(axis=0).mean()
    np.testing.assert_allclose(read(np.ones((60, 2)), y, folds)[folds == 0][0], y[folds != 0].mean(axis=0))


def test_no_probe_has_seen_the_rows_that_it_predicts() -> None:
    rng = np.random.default_rng(8)
    x, y, folds = rng.normal(size=(30, 3)), rng.normal(size=(30, 1)), folds_of(np.arange(30))
    for probe in probes(x, y, folds):
        others = y.copy()
        others[probe.rows] = 0.0
        again = next(other for other in probes(x, others, folds) if (other.rows == probe.rows).all())
        assert np.corrcoef(again.weights[:, 0], probe.weights[:, 0])[0, 1] > 0.9  # only the shared penalty may differ


def test_decisions_of_scores_in_groups() -> None:
    vectors = np.array([[0.0], [3.0], [2.0], [2.4], [9.0], [8.0]])
    groups = np.array([0, 0, 1, 1, 2, 2])
    task = Task(vectors, vectors.copy(), folds_of(groups), groups)
    same = task.decisions(vectors)
    assert (same.distortion, same.agreement) == (0, 1)
    assert same.weight_divergence == pytest.approx(0, abs=1e-12)
    merged = task.decisions(np.array([[0.0], [3.0], [2.4], [2.0], [9.0], [8.0]]))
    assert merged.agreement == pytest.approx(2 / 3)
    assert merged.distortion == pytest.approx(2 * 0.4**2 / 6 / vectors.var(), rel=1e-4)
    before, after = stats.bernoulli(1 / (1 + np.exp(-0.4))), stats.bernoulli(1 / (1 + np.exp(0.4)))
    expected = stats.entropy([before.pmf(0), before.pmf(1)], [after.pmf(0), after.pmf(1)]) / 3
    assert merged.weight_divergence == pytest.approx(expected, rel=1e-4)


def answer(**fields: Any) -> Any:
    return TOOL.answer(TOOL.input(**fields))


def signal(n: int = 300, seed: int = 4) -> tuple[FloatArray, FloatArray]:
    """One column determines the score, three are noise."""
    vectors = np.random.default_rng(seed).normal(size=(n, 4))
    return vectors, 3 * vectors[:, 0]


def test_fewer_bits_keep_less_of_the_decision() -> None:
    vectors, scores = signal()
    found = answer(vectors=vectors.tolist(), scores=scores.tolist(), groups=[i // 10 for i in range(300)])
    bits, distortion, agreement = (
        np.array([getattr(s, name) for s in found.steps]) for name in ("bits", "distortion", "agreement")
    )
    assert (np.diff(bits) < 0).all()
    assert distortion[0] < 0.001 < 0.5 < distortion[-1]
    assert agreement[0] > 0.9 > 0.5 > agreement[-1]
    assert all(step.bits <= step.coded_bits <= step.bits + 0.5 for step in found.steps)
    assert 0 < found.knee < len(found.steps) - 1
    assert found.steps[-1].weight_divergence > found.steps[0].weight_divergence
    assert found.error < 0.01 * found.blind_error
    assert not found.warnings[1:]


def test_a_more_valuable_decision_gets_more_bits() -> None:
    vectors, scores = signal()

    def best(beta: float) -> float:
        found = answer(vectors=vectors.tolist(), scores=scores.tolist(), beta=beta)
        costs = [step.bits + beta * step.distortion for step in found.steps]
        assert found.steps[found.best].lagrangian == pytest.approx(min(costs))
        return float(found.steps[found.best].bits)

    assert best(0.0) < best(20.0) < best(1e6)


def test_labels_are_decided_for_each_row() -> None:
    vectors, scores = signal()
    labels = np.where(scores > 0, "yes", "no").tolist()
    found = answer(vectors=vectors.tolist(), labels=labels, deltas=[0.05, 100.0])
    fine, coarse = found.steps
    assert found.decides == "labels"
    assert found.error < 0.1
    assert fine.agreement > 0.98
    assert (coarse.bits, coarse.coded_bits) == (0, 0)
    assert coarse.error == pytest.approx(found.blind_error, abs=0.1)
    assert coarse.weight_divergence is None


def test_vectors_that_do_not_predict_the_target_lead_to_a_warning() -> None:
    rng = np.random.default_rng(5)
    found = answer(vectors=rng.normal(size=(40, 3)).tolist(), scores=rng.normal(size=40).tolist())
    assert any("do not predict the target" in warning for warning in found.warnings)
    assert "40 rows are too few" in found.warnings[0]
    assert any("finest steps" in warning for warning in found.warnings)


def test_traces_become_curves_and_are_compared_within_their_problem() -> None:
    rng = np.random.default_rng(6)
    traces = [
        {
            "problem": f"p{i // 4}",
            "steps": ["a", "b"],
            "scores": rng.uniform(0.01, 0.99, 2).tolist(),
            "judges": {"big": float(i)},
        }
        for i in range(60)
    ]
    found = answer(traces=traces, target="last_score")
    assert (found.n_columns, found.n_groups, found.decides) == (16, 15, "scores")
    assert found.error < 0.5 * found.blind_error
    assert answer(traces=traces, target="big").blind_error == pytest.approx(np.arange(60).var())


ROWS = {"vectors": [[0.0], [1.0], [5.0]], "scores": [1.0, 2.0, 3.0]}
TRACE = {"scores": [0.5], "judges": {"big": 1.0}, "labels": {"kind": "a"}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"vectors": ROWS["vectors"]}, "scores"),
        ({**ROWS, "labels": ["a", "b", "c"]}, "labels"),
        ({**ROWS, "scores": [1.0]}, "scores"),
        ({**ROWS, "groups": [1, 2]}, "groups"),
        ({**ROWS, "groups": [1, 1, 1]}, "groups"),
        ({"vectors": [[1.0]], "scores": [1.0]}, "vectors"),
        ({"vectors": [[1.0], [1.0, 2.0]], "scores": [1.0, 1.0]}, "vectors.1"),
        ({"vectors": ROWS["vectors"], "labels": ["a", "a", "a"]}, "labels"),
        ({"vectors": [[float(i)] for i in range(65)], "labels": list(range(65))}, "labels"),
        ({**ROWS, "deltas": [0.001]}, "deltas"),
        ({"vectors": [[1.0] * 2000] * 2, "scores": [1.0, 2.0]}, "deltas"),
        ({"traces": [TRACE] * 3}, "traces.0.correct"),
        ({"traces": [TRACE, {"scores": [0.5]}], "target": "big"}, "traces.1.judges.big"),
        ({"traces": [TRACE, {"scores": [0.5]}], "target": "kind"}, "traces.1.labels.kind"),
        ({"traces": [TRACE, {"judges": {"big": 1.0}}], "target": "last_score"}, "traces.1.scores"),
        ({"traces": [TRACE] * 2, "target": "big", "read": "words"}, "traces.0.steps"),
    ],
)
def test_inconsistent_input_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize("outlier", [1e9, 5e3])
def test_default_steps_are_as_fine_as_the_widest_column_allows(outlier: float) -> None:
    vectors, scores = signal()
    vectors[0, 1] = outlier
    found = answer(vectors=vectors.tolist(), scores=scores.tolist())
    assert all(np.isfinite(step.bits) for step in found.steps)
