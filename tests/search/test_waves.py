"""Waves of epf: the search stops when its answer is certain enough, and each wave is an island."""

import math
from typing import Any

import pytest

from epf.search import Event, Resampled, SearchResult, stream
from epf.search.confidence.fitted import ConfidenceMap, Fit
from epf.search.confidence.logistic import Logistic
from tests.search.scripted import Generator, Models, RewardModel, drive, result_of, solution
from tests.search.test_engine import varied


def constant(probability: float) -> ConfidenceMap:
    """A map that gives every answer this probability."""
    logistic = Logistic(math.log(probability / (1 - probability)), {}, {})
    return ConfidenceMap("scripted", "scripted", 1, "by hand", Fit(logistic, None))


def by_support(limit: float) -> ConfidenceMap:
    """A map that is nearly sure of an answer that more than ``limit`` different solutions have, and of no other."""
    logistic = Logistic(0.0, {"supporters": 50.0}, {"supporters": math.log(limit)})
    return ConfidenceMap("scripted", "scripted", 1, "by hand", Fit(logistic, None))


def run(confidence: ConfidenceMap | None = None, **options: Any) -> tuple[SearchResult, list[Resampled]]:
    async def collect() -> list[Event]:
        models: Models = {"generator": Generator(solution(3)), "reward_model": RewardModel(varied)}
        chosen: dict[str, Any] = {"n_particles": 12, "waves": 3, "seed": 1, **options}
        return [event async for event in stream("p", **models, confidence=confidence, **chosen)]

    events = drive(collect())
    return result_of(events), [event for event in events if isinstance(event, Resampled)]


@pytest.mark.parametrize("weighting", ["current", "incremental"])
@pytest.mark.parametrize(
    ("probability", "options", "n_particles"),
    [
        (0.97, {}, 4),
        (0.5, {}, 12),
        (0.97, {"certainty": 1.0}, 12),
        (0.5, {"certainty": 0.5}, 4),
        (0.97, {"waves": 1}, 12),
        (0.97, {"n_particles": 2, "waves": 5}, 1),
        (0.5, {"n_particles": 2, "waves": 5}, 2),
        (0.97, {"n_particles": 5, "waves": 2}, 3),
    ],
)
def test_waves_end_when_the_calibrated_confidence_is_reached(
    weighting: str, probability: float, options: dict[str, Any], n_particles: int
) -> None:
    result, rounds = run(constant(probability), weighting=weighting, **options)
    assert len(result.particles) == n_particles
    assert result.stop_reason == "finished"
    assert result.confidence == pytest.approx(probability)
    assert math.isfinite(result.log_evidence)
    assert rounds[-1].n_finished == n_particles


@pytest.mark.parametrize(("limit", "n_particles"), [(1.5, 4), (2.5, 8), (3.5, 12), (4.5, 12)])
def test_the_confidence_is_that_of_all_waves_together(limit: float, n_particles: int) -> None:
    """Two, three and four different solutions have the leading answer after each wave."""
    result, _ = run(by_support(limit), odds_power=0.0)
    assert len(result.particles) == n_particles
    assert result.evidence is not None
    assert (result.confidence > 0.95) == (result.evidence.n_supporters > limit)


def test_without_a_map_the_unfitted_confidence_rarely_stops_a_search() -> None:
    assert len(run()[0].particles) == 12


def test_a_particle_never_continues_one_of_another_wave() -> None:
    result, rounds = run(constant(0.5))
    for i, particle in enumerate(result.particles):
        assert {ancestor // 4 for ancestor in particle.lineage} <= {i // 4}
    assert [event.record.t for event in rounds] == [1, 2, 3] * 3


def test_a_budget_that_ends_in_the_second_wave_ends_the_search() -> None:
    result, _ = run(constant(0.5), max_total_tokens=110)
    assert result.stop_reason == "budget"
    assert len(result.particles) == 8
