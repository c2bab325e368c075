"""Reconstruction of the paper's examples, each with its distribution written out as equally probable samples."""

import math
from collections.abc import Callable, Iterable
from itertools import combinations, permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.core.errors import InvalidRequest
from epf.entropy.reconstruction.maths import Reconstruction, reconstruction
from epf.entropy.reconstruction.tool import TOOL

Function = Callable[[Any], Any]


def of(points: Iterable[Any], target: Function, *functions: Function) -> Reconstruction:
    """Recovers ``target`` of the points from functions of them."""
    columns = {f"f{i}": [function(point) for point in points] for i, function in enumerate(functions)}
    return reconstruction({"x": [target(point) for point in points], **columns}, "x")


def identity(point: object) -> str:
    return str(point)


def test_two_fair_bits_are_recovered_and_their_parity_is_redundant() -> None:
    points = list(product((0, 1), repeat=2))
    bits = [lambda p: p[0], lambda p: p[1]]
    found = of(points, identity, *bits)
    assert [column.distance for column in found.columns] == [0.5, 0.5]
    assert (found.sum_distance, found.bound, found.verdict) == (1, 1, "exact")
    assert found.independent
    assert found.missing_values == 1
    with_parity = of(points, identity, *bits, lambda p: p[0] ^ p[1])
    assert (with_parity.sum_distance, with_parity.bound, with_parity.verdict) == (1.5, 2, "exact")
    assert not with_parity.independent
    assert [column.lost_without for column in with_parity.columns] == [0, 0, 0]
    assert [column.information for column in with_parity.columns] == pytest.approx([math.log(2)] * 3)
    assert len(with_parity.sufficient) == 2


def test_halves_and_thirds_pass_the_condition_and_do_not_suffice() -> None:
    found = of(range(12), identity, lambda x: x // 2, lambda x: x // 3)
    assert found.sum_distance == pytest.approx(0.7210570543, abs=1e-10)
    assert found.delta == pytest.approx(0.1859619638, abs=1e-10)
    assert found.delta < found.sum_distance <= found.bound + found.delta
    assert found.verdict == "incomplete"
    assert found.missing_values == 2


def test_sign_and_absolute_value() -> None:
    found = of([-2, -1, 1, 2], identity, abs, lambda x: x > 0)
    assert [column.distance for column in found.columns] == pytest.approx([0.5, 0.5])
    assert (found.verdict, found.independent) == ("exact", True)


@pytest.mark.parametrize(
    ("vectors", "verdict"),
    [
        ([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)], "exact"),
        ([(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 0)], "incomplete"),
        ([(1, 0, 0), (0, 1, 0), (0, 0, 0), (0, 0, 0)], "impossible"),
    ],
)
def test_linear_functions_of_a_vector_of_bits(vectors: list[tuple[int, int, int]], verdict: str) -> None:
    def row(vector: tuple[int, int, int]) -> Function:
        return lambda x: sum(a * b for a, b in zip(vector, x, strict=True)) % 2

    found = of(list(product((0, 1), repeat=3)), identity, *map(row, vectors))
    n_used = sum(any(vector) for vector in vectors)
    assert found.sum_distance == pytest.approx(len(vectors) - n_used / 3)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("m", "exact", "bound", "limit"), [(10, 2.785892, 3.344024, 3), (30, 8.758372, 9.268314, 9), (100, 23.764407, 24.21015, 24)]
)
def test_multiplicities_of_primes_determine_a_number(m: int, exact: float, bound: float, limit: int) -> None:
    primes = [p for p in range(2, m + 1) if all(p % q for q in range(2, p))]

    def multiplicity(p: int) -> Function:
        return lambda x: next(k for k in range(m) if x % p ** (k + 1))

    found = of(range(1, m + 1), identity, *map(multiplicity, primes))
    assert found.sum_distance == pytest.approx(exact, abs=5e-7)
    assert found.bound == limit
    assert len(primes) - math.lgamma(m + 1) / (m * math.log(m)) == pytest.approx(bound, abs=5e-7)
    assert found.verdict == "exact"


def test_chinese_remainders_need_every_modulus() -> None:
    moduli = [lambda x: x % 3, lambda x: x % 5, lambda x: x % 7]
    whole = of(range(105), identity, *moduli)
    assert whole.sum_distance == pytest.approx(2)
    assert (whole.verdict, whole.independent) == ("exact", True)
    without = of(range(105), identity, *moduli[:2])
    assert without.sum_distance == pytest.approx(1.4181191937, abs=1e-10)
    assert without.verdict == "impossible"
    assert without.unknown == pytest.approx(math.log(7))
    assert without.missing_values == 7
    assert without.missing_entropy == pytest.approx(math.log(7))


@pytest.mark.parametrize(("k", "least"), [(3, 3), (4, 5), (5, 7)])
def test_sorting_needs_the_known_number_of_comparisons(k: int, least: int) -> None:
    def compare(i: int, j: int) -> Function:
        return lambda p: p[i] < p[j]

    pairs = list(combinations(range(k), 2))
    found = of(list(permutations(range(k))), identity, *(compare(i, j) for i, j in pairs))
    assert [column.distance for column in found.columns] == pytest.approx([1 - 1 / math.log2(math.factorial(k))] * len(pairs))
    assert math.ceil(1 / (1 - found.columns[0].distance)) == least  # the sum of n such distances is at most n - 1
    assert found.verdict == "exact"


def test_columns_with_more_information_than_the_target_are_compared_with_the_state() -> None:
    found = of(range(8), lambda x: x % 2, lambda x: x % 4, lambda x: x // 4)
    assert found.recovers == "state"
    assert (found.verdict, found.sufficient) == ("exact", ("f0",))
    assert found.columns[1].lost_without == 0


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=1, max_size=40))
def test_the_theorems_hold_and_the_sufficient_columns_suffice(rows: list[tuple[int, int, int, int]]) -> None:
    columns = {name: [row[i] for row in rows] for i, name in enumerate("xabc")}
    found = reconstruction(columns, "x")
    assert found.delta <= found.sum_distance + 1e-9
    assert found.sum_distance <= found.bound + found.delta + 1e-9  # Theorem 3, and 1 where delta is 0
    if found.verdict == "exact":
        assert found.sum_distance <= found.bound + 1e-9
        if found.independent and any(column.n_values > 1 for column in found.columns):
            assert found.sum_distance == pytest.approx(found.bound, abs=1e-9)
    if found.sufficient:
        kept = reconstruction({name: columns[name] for name in ("x", *found.sufficient)}, "x")
        assert kept.unknown == pytest.approx(found.unknown, abs=1e-9)
    assert found.missing_entropy >= found.unknown - 1e-9  # a completing label has at least the missing information


@pytest.mark.parametrize(
    ("columns", "target", "param"),
    [
        ({"x": [1], "y": [1]}, "z", "target"),
        ({"x": [1]}, "x", "columns"),
        ({"x": [1, 2], "y": [1]}, "x", "columns.y"),
        ({"x": [], "y": []}, "x", "columns"),
    ],
)
def test_invalid_columns_are_refused(columns: dict[str, list[int]], target: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        reconstruction(columns, target)
    assert refused.value.param == param


def test_few_samples_lead_to_a_warning() -> None:
    few = {"x": [0, 1] * 4, "y": [0, 1] * 4}
    assert len(reconstruction(few, "x").warnings) == 2
    assert not reconstruction({name: labels * 2 for name, labels in few.items()}, "x").warnings


def test_a_target_that_is_always_the_same_is_pointed_out() -> None:
    found = TOOL.answer(TOOL.input(columns={"x": [1, 2] * 5, "y": [True] * 10}, target="y"))
    assert found.target_entropy == 0
    assert "nothing has to be recovered" in found.warnings[-1]
    other = TOOL.answer(TOOL.input(columns={"x": [1, 2] * 5, "y": [True, False] * 5}, target="y"))
    assert not other.warnings
