"""Entropy production of processes whose direction of time is known."""

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
    assert not found.warnings
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
