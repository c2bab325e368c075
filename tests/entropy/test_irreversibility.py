"""Entropy production of processes whose direction of time is known."""

import math
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray
from epf.entropy.maxent.irreversibility import entropy_production, process
from epf.entropy.registry import TOOLS

TOOL = TOOLS["maxent"]
COUNTS = st.integers(1, 5).flatmap(lambda s: arrays(float, (s, s), elements=st.integers(0, 9))).filter(np.any)
TINY = 1e-9


def answer(**fields: Any) -> Any:
    return TOOL.answer(TOOL.input(**fields))


def ring(p: float, q: float) -> FloatArray:
    """A process on a ring: clockwise with p, counter-clockwise with q, otherwise at rest."""
    return np.array([[1 - p - q, p, q], [q, 1 - p - q, p], [p, q, 1 - p - q]])


@pytest.mark.parametrize(("p", "q"), [(0.7, 0.3), (0.5, 0.1), (0.2, 0.2), (0.05, 0.6)])
def test_a_ring_has_the_known_production(p: float, q: float) -> None:
    expected = (p - q) * np.log(p / q)
    assert entropy_production(np.full(3, 1 / 3), ring(p, q)) == pytest.approx(expected)
    counted = process(ring(p, q) * 100, TINY)
    assert counted.production == pytest.approx(expected, abs=1e-8)
    assert counted.production_unsmoothed == pytest.approx(expected)
    assert entropy_production(np.full(3, 1 / 3), ring(p, 0.0)) == np.inf


@given(arrays(float, (4, 4), elements=st.integers(1, 9)))
def test_detailed_balance_produces_nothing(flows: FloatArray) -> None:
    found = process(flows + flows.T, TINY)
    assert found.production == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.stationary, found.observed, atol=1e-9)


@given(COUNTS, st.sampled_from([0.01, 0.5, 3.0]), st.randoms())
def test_the_second_law_holds_and_names_of_states_do_not_matter(counts: FloatArray, smoothing: float, random: Random) -> None:
    found = process(counts, smoothing)
    np.testing.assert_allclose(found.stationary @ found.transition, found.stationary, atol=1e-9)
    assert found.stationary.sum() == pytest.approx(1)
    for production in (found.production, found.production_observed, found.production_unsmoothed):
        assert production >= 0
    assert found.forgotten >= -1e-9
    assert np.isfinite(found.production)
    places = random.sample(range(len(counts)), len(counts))
    moved = process(counts[np.ix_(places, places)], smoothing)
    assert moved.production == pytest.approx(found.production, abs=1e-9)
    np.testing.assert_allclose(moved.stationary, found.stationary[places], atol=1e-9)
    # The time-reversed stationary process has the same production.
    backward = found.flow.T / np.where(found.stationary > 0, found.stationary, 1.0)[:, None]
    assert entropy_production(found.stationary, backward) == pytest.approx(found.production, abs=1e-9)


def test_one_way_pairs_are_counted_and_their_production_grows_as_smoothing_shrinks() -> None:
    chains = [["start", "end", "end"]] * 20
    found = [answer(chains=chains, smoothing=smoothing).process for smoothing in (0.5, 0.05)]
    assert [one.n_one_way for one in found] == [1, 1]
    assert [one.production_unsmoothed for one in found] == [None, None]
    assert found[1].production_observed > found[0].production_observed > 0
    assert found[0].smoothing == 0.5


def test_a_state_that_no_step_leaves_leads_to_a_warning() -> None:
    assert "No step leaves end:" in answer(chains=[["start", "end"]] * 20).warnings[0]


def exact_stationary(counts: FloatArray, smoothing: Fraction) -> list[Fraction]:
    """The stationary distribution of a connected process, solved in fractions by elimination with subtractions."""
    n = len(counts)
    c = [[Fraction(int(counts[i, j])) + smoothing * bool(counts[i, j] or counts[j, i]) for j in range(n)] for i in range(n)]
    # One row per state: inflow minus outflow is 0. The last row is the sum, 1.
    rows = [[c[i][j] / sum(c[i]) - (i == j) for i in range(n)] + [Fraction(0)] for j in range(n)]
    rows[-1] = [Fraction(1)] * (n + 1)
    for k in range(n):
        pivot = next(r for r in range(k, n) if rows[r][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for r in range(n):
            if r != k and rows[r][k]:
                rows[r] = [a - rows[r][k] * b for a, b in zip(rows[r], rows[k], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize(
    "chain",
    [
        list(range(8)),
        list(range(40)),
        [0, 1, 0, 1],
        [0, 1, 2, 0, 1, 2],
        [0, 0, 1, 1, 2, 3, 2, 3],
        [0, 1, 2, 1, 3, 4, 2, 5],
        [0, 0, 0],
    ],
    ids=["one-way", "long", "period two", "period three", "absorbed", "branches", "one state"],
)
@pytest.mark.parametrize("times", [1, 200, 10**6])
def test_the_stationary_distribution_is_exact_to_the_last_digits(chain: list[int], times: int) -> None:
    counts = np.zeros((max(chain) + 1,) * 2)
    np.add.at(counts, (chain[:-1], chain[1:]), float(times))
    found = process(counts, 0.5)
    exact = exact_stationary(counts, Fraction(1, 2))
    log_exact = np.array([math.log(p.numerator) - math.log(p.denominator) for p in exact])
    largest = np.log(found.transition.max(axis=1))
    np.testing.assert_allclose(found.log_flow.max(axis=1), log_exact + largest, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.stationary, [float(p) for p in exact], rtol=1e-10)


def test_one_way_chains_have_the_production_of_their_start() -> None:
    found = answer(chains=[[0, 1, 2, 3, 4, 5, 6, 7]] * 200)
    steps = found.process
    assert steps.production == pytest.approx(0, abs=1e-15)
    assert steps.production_observed > 5
    assert steps.n_one_way == 7
    assert "form no cycle" in found.warnings[-1]
    ratios = np.array(steps.stationary[1:]) / steps.stationary[:-1]
    np.testing.assert_allclose(ratios[1:-1], 401, rtol=1e-9)  # 200.5 / 201 there, 0.5 / 201 back


RING = [[0.0, 1e12, 0.0], [0.0, 0.0, 1e12], [1e12, 0.0, 0.0]]


@pytest.mark.parametrize("counts", [[[0.0, 1e12], [0.0, 0.0]], (np.eye(200, k=1) * 1e12).tolist(), RING])
@pytest.mark.parametrize("smoothing", [1e-300, 0.5])
def test_the_most_one_sided_processes_have_finite_answers(counts: list[list[float]], smoothing: float) -> None:
    found = answer(counts=counts, smoothing=smoothing).process
    assert sum(found.stationary) == pytest.approx(1)
    assert all(pair.production >= 0 for pair in found.pairs)
    expected = math.log(1e12) - math.log(smoothing) if counts == RING else 0
    assert found.production == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_states_without_visits_have_no_share() -> None:
    found = answer(counts=[[0, 5, 0, 0], [5, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]]).process
    assert found.stationary == pytest.approx([10 / 26, 10 / 26, 0, 6 / 26])
    assert found.transition[2] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("chains", "has_cycle"),
    [
        ([["a", "b", "c"]], False),
        ([["a", "b", "a", "c"], ["d", "e"]], False),
        ([["a", "b", "c", "a"]], True),
        ([["a", "b"], ["c", "d", "e", "c"]], True),
        ([["a", "a"]], False),
    ],
)
def test_a_stationary_production_of_zero_by_construction_is_reported(chains: list[list[str]], has_cycle: bool) -> None:
    found = answer(chains=chains)
    assert any("form no cycle" in warning for warning in found.warnings) == (not has_cycle)
    assert (found.process.production > 1e-3) == has_cycle


def test_the_observed_irreversibility_comes_first() -> None:
    found = answer(chains=[["a", "b", "c", "d"]] * 20)
    table = TOOL.tables(found)[0]
    assert table.header[0] == "observed"
    assert table.rows[0][0] == found.process.production_observed > 0
    fields = list(type(found.process).model_fields)
    assert fields.index("production_observed") < fields.index("production")


def test_disconnected_parts_keep_their_share() -> None:
    found = process(np.array([[0.0, 3.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 2.0]]), 0.5)
    np.testing.assert_allclose(found.stationary, [3 / 8, 3 / 8, 2 / 8])


def test_transitions_are_counted_within_chains_only() -> None:
    found = answer(chains=[["a", "b", "a"], ["c"], [], ["c", "c"]], smoothing=TINY).process
    assert found.states == ["a", "b", "c"]
    np.testing.assert_allclose(found.transition, [[0, 1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-6)
    assert found.n_transitions == 3
    counted = answer(counts=[[0, 1, 0], [1, 0, 0], [0, 0, 1]], smoothing=TINY).process
    assert counted.transition == found.transition


def test_pairs_sum_to_the_production_and_point_in_the_direction_of_the_flow() -> None:
    found = answer(counts=[[0, 7, 3], [3, 0, 7], [7, 3, 0]], unit="bits").process
    assert sum(pair.production for pair in found.pairs) == pytest.approx(found.production)
    assert {(pair.a, pair.b) for pair in found.pairs} == {(0, 1), (1, 2), (2, 0)}
    assert all(pair.forward > pair.backward for pair in found.pairs)


def test_steps_of_traces_are_in_the_bin_of_their_score() -> None:
    traces = [{"steps": ["s"] * 4, "scores": [0.9, 0.8, 0.2, 0.1]}] * 10
    found = answer(traces=traces, bins=2)
    assert found.fit is None
    assert found.process.states == [0, 1]
    np.testing.assert_allclose(found.process.observed, [1 / 3, 2 / 3])
    assert found.process.n_one_way == 1
    assert [warning for warning in found.warnings if "form no cycle" not in warning] == []
    assert "transitions" in answer(traces=traces[:1], bins=2).warnings[0]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"counts": [[1.0, 2.0]]}, "counts"),
        ({"counts": [[0.0]]}, "counts"),
        ({"counts": [[1.0]], "chains": [[1, 2]]}, "counts"),
        ({"chains": [["a"], ["b"]]}, "chains"),
        ({"chains": [list(range(201))]}, "chains"),
    ],
)
def test_an_invalid_process_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
