"""ePF with a pool, run by the engine: it goes back, reports it, and lets every solution vote."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from epf.core.errors import ContextTooLong
from epf.core.generator import Step
from epf.search import Event, Resampled, SearchResult, StepTaken, stream
from tests.search.scripted import Call, Generator, Models, RewardModel, Writer, drive, result_of, step


def run(write: Writer, scores: Mapping[str, float], **options: Any) -> tuple[SearchResult, list[Event], Generator]:
    generator = Generator(write)

    async def collect() -> list[Event]:
        models: Models = {"generator": generator, "reward_model": RewardModel(lambda steps: scores[steps[-1].split()[0]])}
        options_: dict[str, Any] = {"method": "epf_pool", "n_particles": 4, "seed": 1, "annealing": "none", **options}
        return [event async for event in stream("p", **models, **options_)]

    events = drive(collect())
    return result_of(events), events, generator


def disappointing(call: Call) -> Step:
    """One first step is far better than the others, and its first continuations are bad."""
    if call.depth == 0:
        return step("good" if call.n == 0 else f"poor {call.n}")
    return step(f"bad {call.n}") if call.n < 8 else step("\\boxed{7}", "eos")


SCORES = {"good": 0.99, "poor": 0.2, "bad": 1e-6, "\\boxed{7}": 0.95, "\\boxed{3}": 0.4}


def test_the_search_goes_back_to_before_the_disappointment_and_reports_it() -> None:
    result, events, generator = run(disappointing, SCORES)
    assert {call.prefix for call in generator.calls[4:8]} == {"good\n"}
    assert {call.prefix for call in generator.calls[8:]} == {"good\n"}
    retold = [event for event in events if isinstance(event, StepTaken) and event.n_tokens == 0]
    assert [event.text for event in retold] == ["good"] * 4
    rounds = [event for event in events if isinstance(event, Resampled)]
    assert [event.ancestors for event in rounds[:2]] == [(0,) * 4] * 2
    assert (result.answer, result.stop_reason, len(result.particles)) == ("7", "finished", 4)
    assert {len(particle.steps) for particle in result.particles} == {2}
    assert result.usage.discarded_tokens == sum(
        len(s) + 1 for s in ("poor 1", "poor 2", "poor 3", "bad 4", "bad 5", "bad 6", "bad 7")
    )


@pytest.mark.parametrize("options", [{"pool_fraction": 0.0}, {"ess_threshold": 0.0}])
def test_without_a_share_or_a_reason_the_search_never_goes_back(options: dict[str, Any]) -> None:
    _, events, generator = run(disappointing, SCORES, max_steps=3, **options)
    assert all(call.depth == t // 4 for t, call in enumerate(generator.calls))
    assert not [event for event in events if isinstance(event, StepTaken) and event.n_tokens == 0]


def test_whether_to_mix_is_known_before_the_particles_move() -> None:
    def write(call: Call) -> Step:
        if call.depth == 2:
            return step("\\boxed{7}", "eos")
        return step(f"{'fine' if call.depth == 0 else 'good' if call.n == 4 else 'bad'} {call.n}")

    _, _, generator = run(write, {**SCORES, "fine": 0.9}, pool_fraction=0.9)
    assert {call.depth for call in generator.calls[4:8]} == {1}
    assert {call.depth for call in generator.calls[8:12]} == {2}


def test_if_all_particles_die_the_pruned_ones_continue() -> None:
    def write(call: Call) -> Step:
        return step("", "eos") if 4 <= call.n < 8 else disappointing(call)

    result, _, generator = run(write, SCORES)
    assert {call.prefix for call in generator.calls[8:]} == {"good\n"}
    assert (result.answer, result.stop_reason) == ("7", "finished")


def test_a_solution_that_others_outweigh_keeps_its_vote() -> None:
    def write(call: Call) -> Step:
        if call.depth == 0:
            return step("\\boxed{3}", "eos") if call.n == 0 else step("good")
        return step("\\boxed{7}", "eos")

    result, events, _ = run(write, SCORES, ess_threshold=0.0)
    (pruned,) = [particle for particle in result.particles if particle.answer == "3"]
    assert pruned.log_weight == pytest.approx(math.log(0.4 / 0.6))
    assert result.answer == "7"
    assert all(len(event.ancestors) == 4 for event in events if isinstance(event, Resampled))


def test_if_no_particle_has_room_the_best_partial_solution_is_shown() -> None:
    def write(call: Call) -> Step:
        if call.depth == 1:
            raise ContextTooLong("full")
        return step("good")

    result, *_ = run(write, SCORES)
    assert (result.answer, result.stop_reason, result.solution) == (None, "context", "good")
