"""Exact prequential coding: known values, a symbol-by-symbol decoder, and lower bounds."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import comb, log, log2
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from epf.entropy.epiplexity.ngram import ORDERS, Ngram, ngrams

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=20), min_size=1, max_size=6)
PRIORS = st.sampled_from([0.01, 0.5, 1.0, 3.0])


def of(sequences: Sequence[ArrayLike], n_symbols: int, prior: float = 0.5) -> list[Ngram]:
    return list(ngrams([np.array(sequence) for sequence in sequences], n_symbols, prior=prior))


@pytest.mark.parametrize(("prior", "bits"), [(1.0, 10.366322), (0.5, 10.840129)])
def test_seven_heads_in_ten(prior: float, bits: float) -> None:
    coin = of([[1, 1, 1, 1, 1, 1, 1, 0, 0, 0]], 2, prior)[0]
    assert coin.total / log(2) == pytest.approx(bits, abs=5e-7)


def test_laplace_s_rule_is_a_uniform_choice_of_the_count_and_then_of_the_order() -> None:
    coin = of([[0, 1, 1, 0, 1, 1, 1]], 2, 1.0)[0]
    assert coin.total == pytest.approx(log(8 * comb(7, 5)))


@given(SEQUENCES, PRIORS)
def test_every_symbol_has_the_length_that_a_decoder_computes(sequences: list[list[int]], prior: float) -> None:
    for model in of(sequences, 4, prior):
        seen: Counter[tuple[tuple[int, ...], int]] = Counter()
        expected = []
        for sequence in sequences:
            for i, symbol in enumerate(sequence):
                context = tuple(sequence[max(0, i - model.order) : i])
                weights = [seen[context, other] + prior for other in range(4)]
                expected.append(-log(weights[symbol] / sum(weights)))
                seen[context, symbol] += 1
        np.testing.assert_allclose(model.online, expected, atol=1e-12)
        assert model.n_counts == len(seen)
        assert model.n_contexts == len({context for context, _ in seen})


@given(SEQUENCES, PRIORS)
def test_structure_is_not_negative_and_totals_are_at_least_the_empirical_entropy(
    sequences: list[list[int]], prior: float
) -> None:
    found = of(sequences, 4, prior)
    for model in found:
        assert model.total - model.noise >= -1e-9
        assert model.total >= model.empirical - 1e-9
        assert model.noise >= model.empirical - 1e-9
    for shorter, longer in pairwise(found):
        assert longer.empirical <= shorter.empirical + 1e-9
        assert longer.n_counts >= shorter.n_counts


@given(SEQUENCES, st.permutations(range(4)), st.randoms())
def test_lengths_ignore_names_of_symbols_and_at_order_0_their_order(
    sequences: list[list[int]], names: list[int], random: Random
) -> None:
    found = of(sequences, 4)
    renamed = of([[names[symbol] for symbol in sequence] for sequence in sequences], 4)
    assert [model.total for model in renamed] == pytest.approx([model.total for model in found])
    shuffled = [symbol for sequence in sequences for symbol in sequence]
    random.shuffle(shuffled)
    assert of([shuffled], 4)[0].total == pytest.approx(found[0].total)


def test_fair_coins_are_noise_and_an_alternation_has_neither_structure_nor_noise() -> None:
    n = 4096
    coins = of([np.random.default_rng(0).integers(0, 2, n)], 2)
    assert coins[0].noise / log(2) == pytest.approx(n, rel=0.002)
    for model in coins:  # about half the log of the count for each context
        assert model.structure / log(2) == pytest.approx(model.n_contexts * log2(n / model.n_contexts) / 2, rel=0.6)
    alternating = of([np.arange(n) % 2], 2)
    assert alternating[0].noise / log(2) == pytest.approx(n, rel=1e-3)
    assert alternating[1].total / log(2) < 30


def test_a_source_with_memory_is_found_by_its_order() -> None:
    rng = np.random.default_rng(1)
    bits = list(rng.integers(0, 2, 3))
    for flip in rng.random(5000) < 0.1:
        bits.append(bits[-1] ^ bits[-3] ^ int(flip))
    found = of([bits], 2)
    assert min(ORDERS, key=lambda order: found[order].total) == 3
    assert found[3].noise / log(2) / 5000 == pytest.approx(0.469, abs=0.02)  # the entropy of the flips


def test_a_context_does_not_reach_into_the_previous_sequence() -> None:
    apart, together = of([[0, 1], [0, 1]], 2)[1], of([[0, 1, 0, 1]], 2)[1]
    assert apart.n_contexts == 2
    assert together.n_contexts == 3


def test_one_symbol_costs_nothing() -> None:
    assert [model.total for model in of([[0, 0, 0]], 1)] == [0.0] * len(ORDERS)
