"""Draws follow the distribution that temperature and top-p define."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from epf.engines.onnx.stepper import draw, log_total, most_likely

LOGITS = np.array([1.0, -0.5, 2.0, -np.inf, 0.3, 1.9, -3.0, 0.0], np.float32)
N = 40_000


def drawn(logits: NDArray[np.float32], temperature: float, top_p: float, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    n = len(uniform)
    return draw(np.tile(logits, (n, 1)), np.full(n, temperature), np.full(n, top_p), uniform)


def exact(temperature: float, top_p: float) -> NDArray[np.float64]:
    """Distribution by definition: add the most likely tokens one by one until their mass reaches ``top_p``."""
    probabilities = special.softmax(LOGITS.astype(np.float64) / temperature)
    kept, mass = np.zeros(len(LOGITS), bool), 0.0
    for token in np.argsort(-probabilities):
        if mass >= top_p:
            break
        kept[token] = True
        mass += probabilities[token]
    result: NDArray[np.float64] = np.where(kept, probabilities, 0) / probabilities[kept].sum()
    return result


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (2.0, 1.0), (1.0, 0.9), (1.0, 0.4), (0.7, 0.75)])
def test_frequencies_match_the_distribution(temperature: float, top_p: float) -> None:
    ids = drawn(LOGITS, temperature, top_p, np.random.default_rng(0).random(N))
    counts, expected = np.bincount(ids, minlength=len(LOGITS)), exact(temperature, top_p)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    if possible.sum() > 1:
        assert stats.chisquare(counts[possible], N * expected[possible]).pvalue > 1e-3


def test_zero_temperature_takes_the_most_likely_token() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((50, 30)).astype(np.float32)
    ids = draw(logits, np.zeros(50), np.ones(50), rng.random(50))
    np.testing.assert_array_equal(ids, logits.argmax(axis=1))


def test_tiny_temperature_and_tiny_top_p_are_greedy_too() -> None:
    uniform = np.array([0.0, 0.5, np.nextafter(1, 0)])
    assert set(drawn(LOGITS, 1e-30, 1.0, uniform).tolist()) == {2}
    assert set(drawn(LOGITS, 1.0, 1e-30, uniform).tolist()) == {2}


def test_rows_are_independent() -> None:
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((8, 20)).astype(np.float32)
    temperature = np.array([0.0, 0.5, 1.0, 2.0, 0.0, 0.5, 1.0, 2.0])
    top_p = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5])
    uniform = rng.random(8)
    together = draw(logits, temperature, top_p, uniform)
    alone = [draw(logits[i : i + 1], temperature[i : i + 1], top_p[i : i + 1], uniform[i : i + 1])[0] for i in range(8)]
    np.testing.assert_array_equal(together, alone)


@given(st.lists(st.one_of(st.floats(-80, 80, width=32), st.just(-np.inf)), min_size=1, max_size=12), st.floats(0.05, 5))
def test_the_ends_of_the_unit_interval_never_draw_an_impossible_token(values: list[float], temperature: float) -> None:
    if max(values) == -np.inf:
        values[0] = 0.0
    logits = np.array(values, np.float32)
    ids = drawn(logits, temperature, 1.0, np.array([0.0, np.nextafter(1, 0)]))
    assert np.isfinite(logits[ids]).all()


def test_log_probabilities_are_those_at_temperature_one() -> None:
    logits = np.random.default_rng(2).standard_normal((5, 9)).astype(np.float32) * 10
    ids = np.array([0, 3, 8, 4, 4])
    expected = special.log_softmax(logits.astype(np.float64), axis=1)[np.arange(5), ids]
    np.testing.assert_allclose(logits[np.arange(5), ids] - log_total(logits), expected, atol=1e-5)


def test_the_most_likely_tokens_come_first_and_lower_ids_first_among_equals() -> None:
    logits = np.array([0.0, 2.0, -np.inf, 2.0, 1.0], np.float32)
    expected = special.log_softmax(logits.astype(np.float64))
    for n in (1, 3, 5, 20):
        found = most_likely(logits, n, float(log_total(logits[None])[0]))
        assert [id_ for id_, _ in found] == [1, 3, 4, 0, 2][:n]
        np.testing.assert_allclose([value for _, value in found], expected[[1, 3, 4, 0, 2][:n]], atol=1e-6)
