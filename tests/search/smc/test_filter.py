import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.search.smc.annealing import Schedule
from epf.search.smc.filter import FilterConfig, FilterState, Observation, Weighting, in_place, start, step
from epf.search.smc.lookahead import guide
from epf.search.smc.weights import FloatArray, ess, logit


def seen(
    scores: Sequence[float] | FloatArray,
    finished: tuple[int, ...] = (),
    dead: tuple[int, ...] = (),
    successors: Sequence[float] | None = None,
    last: bool = False,
) -> Observation:
    n = len(scores)
    return Observation(
        logits=logit(scores),
        finished=np.isin(np.arange(n), finished),
        dead=np.isin(np.arange(n), dead),
        successor_logits=None if successors is None else logit(successors),
        last=last,
    )


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("weighting", ["current", "incremental"])
@given(
    scores=st.lists(st.floats(0, 1), min_size=2, max_size=16),
    dead=st.sets(st.integers(0, 15)),
    finished=st.sets(st.integers(0, 15)),
    seed=st.integers(0, 2**32),
    resample_finished=st.booleans(),
)
def test_a_dead_particle_is_never_chosen(
    weighting: Weighting, scores: list[float], dead: set[int], finished: set[int], seed: int, resample_finished: bool
) -> None:
    n = len(scores)
    alive = [i for i in range(n) if i not in dead]
    config = FilterConfig(weighting=weighting, ess_threshold=1.0, resample_finished=resample_finished)
    observation = seen(scores, tuple(finished - dead), tuple(dead))
    state, info = step(start(n), observation, rng(seed), config)
    assert np.isneginf(info.log_weights[list(dead & set(range(n)))]).all()
    if info.resampled:
        drawn = info.ancestors if resample_finished else info.ancestors[~observation.finished]
        assert set(drawn) <= set(alive)
        assert np.isfinite(state.log_weights).all()
    if not resample_finished:
        kept = np.flatnonzero(observation.finished)
        np.testing.assert_array_equal(info.ancestors[kept], kept)
    assert not np.isnan(state.log_weights).any()
    assert 0.0 <= info.ess <= n


@pytest.mark.parametrize("weighting", ["current", "incremental"])
def test_all_dead(weighting: Weighting) -> None:
    state, info = step(start(3), seen([0.5] * 3, dead=(0, 1, 2)), rng(), FilterConfig(weighting=weighting))
    assert not info.resampled
    np.testing.assert_array_equal(info.ancestors, [0, 1, 2])
    assert np.isneginf(state.log_weights).all()
    assert (info.ess, info.entropy, state.log_evidence) == (0.0, 0.0, -np.inf)


@pytest.mark.parametrize("weighting", ["current", "incremental"])
def test_finished_particles_alone_are_not_drawn_if_they_do_not_take_part(weighting: Weighting) -> None:
    config = FilterConfig(weighting=weighting, resample_finished=False)
    state, info = step(start(2), seen([0.9, 0.5], finished=(0, 1)), rng(), config)
    assert not info.resampled
    np.testing.assert_allclose(state.log_weights, logit([0.9, 0.5]))


def test_current_weighs_by_the_newest_odds_and_resets_the_weights() -> None:
    config = FilterConfig(weighting="current", annealing="none")
    state, info = step(start(3), seen([0.9, 0.5, 0.1]), rng(), config)
    np.testing.assert_allclose(info.log_weights, logit([0.9, 0.5, 0.1]))
    assert info.resampled
    np.testing.assert_array_equal(state.log_weights, 0.0)
    _, info = step(state, seen([0.2, 0.3, 0.4], last=True), rng(), config)
    np.testing.assert_allclose(info.log_weights, logit([0.2, 0.3, 0.4]))
    assert not info.resampled


def test_incremental_accumulates_to_the_newest_odds_and_waits_for_a_low_ess() -> None:
    config = FilterConfig(weighting="incremental", annealing="none", ess_threshold=0.5)
    state, info = step(start(3), seen([0.5, 0.6, 0.7]), rng(), config)
    assert not info.resampled
    state, info = step(state, seen([0.6, 0.6, 0.6]), rng(), config)
    np.testing.assert_allclose(state.log_weights, logit([0.6] * 3))
    state, info = step(state, seen([0.999, 0.1, 0.1]), rng(), config)
    assert info.resampled
    assert info.ess < 1.5
    np.testing.assert_array_equal(state.log_weights, 0.0)


def test_a_finished_particle_keeps_its_incremental_weight() -> None:
    config = FilterConfig(weighting="incremental", annealing="none", ess_threshold=0.0)
    state, _ = step(start(2), seen([0.8, 0.5], finished=(0,)), rng(), config)
    state, _ = step(state, seen([0.8, 0.3], finished=(0,)), rng(), config)
    np.testing.assert_allclose(state.log_weights, logit([0.8, 0.3]))


def test_survivors_keep_what_a_tempered_draw_did_not_use() -> None:
    config = FilterConfig(weighting="incremental", annealing="base", ess_threshold=0.9, horizon=4)
    state, info = step(start(4), seen([0.99, 0.2, 0.2, 0.2]), rng(), config)
    assert info.temperature == pytest.approx(1.75)
    expected = info.log_weights[info.ancestors] * (1 - 1 / 1.75)
    np.testing.assert_allclose(state.log_weights, expected)


def test_annealing_lets_more_ancestors_survive() -> None:
    def distinct(annealing: Schedule) -> np.floating[Any]:
        config = FilterConfig(annealing=annealing)
        draws = [step(start(8), seen([0.999] + [0.6] * 7), rng(seed), config)[1] for seed in range(200)]
        return np.mean([len(set(info.ancestors.tolist())) for info in draws])

    assert distinct("none") < 1.5
    assert distinct("ess") > 3.0


def test_annealing_ends_with_the_early_phase() -> None:
    config = FilterConfig(horizon=4, early_phase=0.5)
    late = FilterState(1, np.zeros(4), np.zeros(4), 0.0)
    assert step(start(4), seen([0.999, 0.2, 0.2, 0.2]), rng(), config)[1].temperature > 1.0
    assert step(late, seen([0.999, 0.2, 0.2, 0.2]), rng(), config)[1].temperature == 1.0


def test_the_guide_mixes_log_odds_and_leaves_finished_particles_alone() -> None:
    here, there = logit([0.5, 0.8]), logit([0.9, 0.1])
    guided = guide(here, here, there, 0.25, np.array([False, True]))
    np.testing.assert_allclose(guided, [0.75 * here[0] + 0.25 * there[0], here[1]])


def test_the_guide_steers_the_draw_and_the_correction_stays() -> None:
    config = FilterConfig(annealing="none", lam=0.5, resampling="systematic")
    state, info = step(start(2), seen([0.5, 0.5], successors=[0.9999, 0.0001]), rng(), config)
    np.testing.assert_array_equal(info.ancestors, [0, 0])
    np.testing.assert_allclose(state.log_weights, -0.5 * logit([0.9999] * 2))


@pytest.mark.parametrize(
    ("drawn", "placed"),
    [
        ([3, 0, 3, 3, 1], [0, 1, 3, 3, 3]),
        ([0, 0, 0], [0, 0, 0]),
        ([2, 2, 2], [2, 2, 2]),
        ([0, 1, 2], [0, 1, 2]),
        ([1, 2, 2, 1], [1, 1, 2, 2]),
        ([4, 4, 1, 1, 1], [1, 1, 1, 4, 4]),
    ],
)
def test_survivors_stay_in_their_slots(drawn: list[int], placed: list[int]) -> None:
    assert in_place(np.array(drawn)).tolist() == placed
    assert sorted(placed) == sorted(drawn)


def test_one_particle() -> None:
    state, info = step(start(1), seen([0.3]), rng(), FilterConfig())
    assert info.ancestors.tolist() == [0]
    assert (info.ess, info.entropy, info.temperature) == (1.0, 0.0, 1.0)
    assert state.log_evidence == pytest.approx(logit([0.3])[0])


def test_the_same_seed_draws_the_same() -> None:
    first, second = (
        step(start(6), seen([0.1, 0.9, 0.5, 0.4, 0.8, 0.2]), rng(4), FilterConfig())[1].ancestors for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@given(st.permutations(range(5)))
def test_order_does_not_matter_to_weights(order: list[int]) -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.4, 0.8])
    plain = step(start(5), seen(scores), rng(), FilterConfig())[1]
    moved = step(start(5), seen(scores[order]), rng(), FilterConfig())[1]
    np.testing.assert_allclose(moved.log_weights, plain.log_weights[order])
    assert moved.ess == pytest.approx(plain.ess) == pytest.approx(ess(plain.log_weights))
    assert moved.temperature == pytest.approx(plain.temperature)


def test_bad_observations_are_refused() -> None:
    good = seen([0.5, 0.5])
    with pytest.raises(ValueError, match="finite"):
        dataclasses.replace(good, logits=np.array([np.nan, 0.0]))
    with pytest.raises(ValueError, match="finite"):
        dataclasses.replace(good, successor_logits=np.array([np.inf, 0.0]))
    with pytest.raises(ValueError, match="one shape"):
        dataclasses.replace(good, dead=np.zeros(3, dtype=bool))
    with pytest.raises(ValueError, match="3 particles"):
        step(start(3), good, rng(), FilterConfig())
