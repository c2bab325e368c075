"""Identities between quantities of different tools."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from epf.entropy.core.information import FloatArray, hill
from epf.entropy.coupling.maths import coupling, uniform
from epf.entropy.epiplexity.ngram import ngrams
from epf.entropy.maxent.maths import gibbs, maxent
from epf.entropy.rate_distortion.coding import encode, information, table
from epf.search.smc.annealing import temperature
from epf.search.smc.filter import FilterConfig, Observation, start, step
from epf.search.smc.weights import logit, normalise

SCORES = arrays(float, st.integers(2, 12), elements=st.floats(0.001, 0.999))


def annealed(log_weights: FloatArray, progress: float) -> float:
    return temperature("ess", log_weights, progress, threshold=0.5, early_phase=0.5)


def maxent_weights(log_weights: FloatArray, temp: float) -> FloatArray:
    return gibbs(log_weights[:, None], np.array([-1.0 / temp]), np.zeros(log_weights.size)).weights


def coupling_weights(log_weights: FloatArray, temp: float) -> FloatArray:
    """Couples one x with every particle; the cost is minus the log weight, and eps is the temperature."""
    return np.asarray(coupling(-log_weights[None], temp, uniform(1), uniform(log_weights.size)).q[0])


@given(SCORES, st.floats(0.01, 0.49))
def test_gibbs_weights_of_maxent_and_coupling_are_the_annealed_weights_of_a_search(scores: FloatArray, progress: float) -> None:
    log_weights = logit(scores)
    temp = annealed(log_weights, progress)
    resampled_by = normalise(log_weights / temp)
    np.testing.assert_allclose(maxent_weights(log_weights, temp), resampled_by, atol=1e-12)
    np.testing.assert_allclose(coupling_weights(log_weights, temp), resampled_by, atol=1e-12)
    # Conversely, the mean score after a resampling determines its temperature.
    if np.ptp(log_weights) > 0.1 and resampled_by.min() > 1e-4:
        found = maxent(log_weights[:, None], resampled_by @ log_weights[:, None], np.zeros(scores.size))
        assert -1 / found.multipliers[0] == pytest.approx(temp, rel=1e-5)


def test_an_annealed_step_of_a_search_draws_with_these_weights() -> None:
    """Counts how often the draws of the filter itself, which computes its own temperature, take each particle."""
    scores = np.array([0.02, 0.05, 0.5, 0.97, 0.03, 0.1])
    observation = Observation(logit(scores), np.zeros(6, dtype=bool), np.zeros(6, dtype=bool))
    config, rng, counts, n_draws = FilterConfig(horizon=10), np.random.default_rng(0), np.zeros(6), 4000
    for _ in range(n_draws):
        _, info = step(start(6), observation, rng, config)
        counts += np.bincount(info.ancestors, minlength=6)
    assert info.temperature > 1.5
    for weights in (maxent_weights, coupling_weights):
        np.testing.assert_allclose(counts / (6 * n_draws), weights(logit(scores), info.temperature), atol=0.01)
    assert info.ess == pytest.approx(float(hill(maxent_weights(logit(scores), 1.0), 2)))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.sampled_from([0, 1, 2]))
def test_prequential_bits_are_the_length_of_a_real_adaptive_coder(symbols: list[int], order: int) -> None:
    code = list(ngrams([np.array(symbols)], 4))[order]
    counts: defaultdict[tuple[int, ...], FloatArray] = defaultdict(lambda: np.full(4, 0.5))
    parts = []
    for i, symbol in enumerate(symbols):
        seen = counts[tuple(symbols[max(0, i - order) : i])]
        parts.append((np.array([symbol]), table(seen / seen.sum())))
        seen[symbol] += 1
    bits = code.total / np.log(2)
    assert sum(float(information(*part).sum()) for part in parts) == pytest.approx(bits, abs=1e-3)
    assert bits - 1e-3 <= 32 * encode(parts).size <= bits + 64
    assert bits >= code.empirical / np.log(2) - 1e-9
