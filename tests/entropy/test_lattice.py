"""The lattice of information: its order, its operations and its two metrics, on known and on random partitions."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.entropy.core.information import IntArray
from epf.entropy.core.lattice import (
    codes_of,
    complement,
    conditional_entropy,
    entropy_of,
    join,
    meet,
    rajski_distance,
    shannon_distance,
)

LN2 = math.log(2)
N = 12


def variables(n: int) -> st.SearchStrategy[Any]:
    """``n`` variables over the same twelve samples."""
    return st.tuples(*[st.lists(st.integers(0, 4), min_size=N, max_size=N).map(codes_of) for _ in range(n)])


def same(x: IntArray, y: IntArray) -> bool:
    """Whether two codes carry the same information."""
    return np.array_equal(codes_of(x.tolist()), codes_of(y.tolist()))


def test_the_fifteen_variables_of_four_points() -> None:
    partitions = {tuple(codes_of(p)) for p in product(range(4), repeat=4)}
    assert len(partitions) == 15
    bits = sorted({round(entropy_of(np.array(p)) / LN2, 4) for p in partitions})
    assert bits == [0, 0.8113, 1, 1.5, 2]


def test_meet_does_not_distribute_over_join() -> None:
    x, z1, z2 = (np.array(codes) for codes in ([0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1]))
    assert same(meet(x, join(z1, z2)), x)
    assert entropy_of(join(meet(x, z1), meet(x, z2))) == 0


def test_halves_and_thirds_of_twelve() -> None:
    x = np.arange(12)
    half, third = x // 2, x // 3
    assert shannon_distance(half, third) == pytest.approx(0.8675632285, abs=1e-10)
    assert shannon_distance(half, third) / LN2 == pytest.approx(1.2516291674, abs=1e-10)
    assert (shannon_distance(x, half) + shannon_distance(x, third)) / LN2 == pytest.approx(math.log2(6), abs=1e-12)
    assert rajski_distance(x, join(half, third)) == pytest.approx(0.1859619638, abs=1e-10)
    assert same(meet(half, third), x // 6)


def test_a_stray_sample_merges_classes_unless_it_is_below_min_count() -> None:
    x, y = np.array([0] * 9 + [1] * 9 + [0]), np.array([0] * 9 + [1] * 9 + [1])
    assert entropy_of(meet(x, y)) == 0
    parted = meet(x, y, min_count=2)
    assert parted.tolist() == [0] * 9 + [1] * 9 + [-1]
    assert entropy_of(parted) == pytest.approx(LN2)


def test_complement_is_numbered_from_the_most_frequent_value() -> None:
    x, y = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 2, 3])
    assert complement(x, y).tolist() == [1, 0, 0, 0, 0, 1]


@given(variables(2))
def test_meet_and_join_are_the_nearest_bounds(pair: tuple[IntArray, IntArray]) -> None:
    x, y = pair
    above, below = join(x, y), meet(x, y)
    for z in pair:
        assert conditional_entropy(z, above) == pytest.approx(0, abs=1e-12)
        assert conditional_entropy(below, z) == pytest.approx(0, abs=1e-12)
    assert same(join(y, x), above)
    assert same(meet(y, x), below)
    assert same(meet(x, above), x)  # absorption
    assert same(join(x, below), x)


@given(variables(2))
def test_common_information_is_at_most_the_mutual_information(pair: tuple[IntArray, IntArray]) -> None:
    x, y = pair
    information = entropy_of(x) + entropy_of(y) - entropy_of(join(x, y))
    assert entropy_of(meet(x, y)) <= information + 1e-12
    assert entropy_of(join(x, y)) + entropy_of(meet(x, y)) <= entropy_of(x) + entropy_of(y) + 1e-12  # submodularity


@given(variables(3))
def test_both_distances_are_metrics_and_ignore_names(three: tuple[IntArray, IntArray, IntArray]) -> None:
    x, y, z = three
    renamed = codes_of((7 * x + 3).tolist()[::-1])[::-1]
    for distance in (shannon_distance, rajski_distance):
        assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-12
        assert distance(x, y) == pytest.approx(distance(y, x), abs=1e-12)
        assert (distance(x, y) < 1e-12) == same(x, y)
        assert distance(codes_of(renamed.tolist()), y) == pytest.approx(distance(x, y), abs=1e-12)
    assert 0 <= rajski_distance(x, y) <= 1 + 1e-12


@given(variables(2), st.integers(1, 3))
def test_the_distance_to_a_function_is_the_information_it_forgets(pair: tuple[IntArray, IntArray], n_left: int) -> None:
    x = join(*pair)
    y = codes_of((pair[0] % n_left).tolist())  # a function of x
    forgotten = entropy_of(x) - entropy_of(y)
    assert shannon_distance(x, y) == pytest.approx(forgotten, abs=1e-12)
    if entropy_of(x) > 0:
        assert rajski_distance(x, y) == pytest.approx(1 - entropy_of(y) / entropy_of(x), abs=1e-12)


@given(variables(3))
def test_apollonius(three: tuple[IntArray, IntArray, IntArray]) -> None:
    x, y, z = join(three[0], join(three[1], three[2])), three[1], three[2]
    expected = (shannon_distance(x, y) + shannon_distance(x, z) - shannon_distance(y, z)) / 2
    assert shannon_distance(x, join(y, z)) == pytest.approx(expected, abs=1e-12)


@given(variables(2))
def test_a_complement_completes_and_has_no_common_information(pair: tuple[IntArray, IntArray]) -> None:
    x, y = pair[0], join(*pair)
    z = complement(x, y)
    assert same(join(x, z), y)
    assert entropy_of(meet(x, z)) == 0


@given(st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 10**4)), min_size=1, max_size=30))
def test_joins_with_many_values_agree_with_joins_of_pairs(pairs: list[tuple[int, int]]) -> None:
    x, y = (codes_of(side) for side in zip(*pairs, strict=True))
    assert same(join(x, y), codes_of(pairs))


def test_two_constants_have_distance_zero() -> None:
    assert rajski_distance(np.zeros(3, dtype=np.intp), np.zeros(3, dtype=np.intp)) == 0
