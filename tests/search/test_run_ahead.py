"""Particles that do not wait: the same results, what begins and ends when, and what it costs."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from epf.core.generator import Abilities, Step
from epf.search import SearchResult, asolve
from epf.search.engine.ahead import MIN_SURVIVAL, RunAhead
from tests.search.scripted import Call, Generator, Models, RewardModel, drive, solution, step, ways

RESAMPLING = ["epf", "epf_published", "pf", "pf_once", "ipf", "particle_gibbs", "epf_pool", "beam", "dvts"]


class AheadGenerator(Generator):
    """A scripted generator that steps may ask ahead; it reports each step's tokens when the step has begun."""

    abilities = Abilities(cancels=True)


def fickle(steps: Sequence[str]) -> float:
    """A score that differs between particles and changes from step to step."""
    return 0.05 + 0.9 * (sum(map(ord, "".join(steps))) * 7919 % 97) / 96


async def pause(seed: int, salt: int) -> None:
    """Let a random number of other tasks go first."""
    for _ in range(int(np.random.default_rng([seed, salt]).integers(40))):
        await asyncio.sleep(0)


def search(salt: int | None, **options: Any) -> tuple[SearchResult, Generator]:
    """A search in which every call takes a random time, drawn with ``salt``; without one, no call takes any."""

    async def write(call: Call) -> Step:
        if salt is not None:
            await pause(call.seed % 2**32, salt)
        return solution(6)(call)

    async def judge(steps: tuple[str, ...]) -> float:
        if salt is not None:
            await pause(sum(map(ord, "".join(steps))), salt)
        return fickle(steps)

    models: Models = {"generator": AheadGenerator(write), "reward_model": RewardModel(judge)}
    return drive(asolve("problem", **{"n_particles": 8, "seed": 3, **options}, **models)), models["generator"]


def outcome(result: SearchResult) -> tuple[Any, ...]:
    """All of a result that the engine's speed must not change."""
    return (result.answer, result.confidence, result.distribution, result.particles, result.steps, repr(result.log_evidence))


@pytest.mark.parametrize(("method", "lookahead"), ways(RESAMPLING))
def test_no_bit_of_the_result_depends_on_running_ahead_or_on_time(method: str, lookahead: str) -> None:
    options = {"method": method} | ({} if lookahead == "none" else {"lookahead": lookahead})
    for seed in range(3):
        waiting, _ = search(None, run_ahead=False, seed=seed, **options)
        for salt in range(3):
            ahead, _ = search(salt, seed=seed, **options)
            assert outcome(ahead) == outcome(waiting)


@pytest.mark.parametrize("limit", [{"max_total_tokens": 150}, {"max_tokens_per_particle": 12}, {"straggler_quantile": 0.5}])
def test_limits_cut_where_they_cut_without_running_ahead(limit: dict[str, Any]) -> None:
    for seed in range(5):
        waiting, _ = search(None, run_ahead=False, seed=seed, **limit)
        ahead, _ = search(seed, seed=seed, **limit)
        assert outcome(ahead) == outcome(waiting)
        assert ahead.stop_reason == waiting.stop_reason


def test_the_next_steps_begin_before_the_scores_are_there() -> None:
    n = 4

    async def judge(steps: tuple[str, ...]) -> float:
        if len(steps) == 1:
            await generator.until_in_flight(n)
        return 0.5

    async def write(call: Call) -> Step:
        if call.depth == 1:
            await second_steps.wait()
        return solution(3)(call)

    second_steps = asyncio.Event()
    generator = AheadGenerator(write)

    async def main() -> SearchResult:
        search = asyncio.create_task(
            asolve("problem", n_particles=n, seed=1, generator=generator, reward_model=RewardModel(judge))
        )
        while sum(call.depth == 1 for call in generator.calls) < n:
            generator.changed.clear()
            await generator.changed.wait()
        second_steps.set()
        return await search

    assert drive(main()).answer is not None


def test_steps_of_particles_that_are_not_drawn_are_cancelled_and_counted() -> None:
    async def write(call: Call) -> Step:
        made = solution(3)(call)
        if call.sampling.on_tokens is not None:
            call.sampling.on_tokens(5)
            await asyncio.sleep(0)  # the scores come first
        return made

    def judge(steps: tuple[str, ...]) -> float:
        return 0.9999 if steps[0] == best else 0.0001

    best = step(f"s0 {solution_seed(0) % 97}").text
    generator = AheadGenerator(write)
    options: dict[str, Any] = {"n_particles": 4, "seed": 1, "annealing": "none", "odds_power": 1.0}
    result = drive(asolve("problem", generator=generator, reward_model=RewardModel(judge), **options))
    without = drive(
        asolve("problem", generator=Generator(solution(3)), reward_model=RewardModel(judge), **options, run_ahead=False)
    )
    assert outcome(result) == outcome(without)
    wasted = result.usage.generated_tokens - without.usage.generated_tokens
    assert wasted > 0
    assert result.usage.discarded_tokens == without.usage.discarded_tokens + wasted


def solution_seed(slot: int) -> int:
    """Seed of the first step of a particle in a search with seed 1."""
    from epf.search.engine.seeds import call_seed

    return call_seed(1, "step", 1, slot)


def test_nothing_begins_where_a_generator_cannot_cancel() -> None:
    generator = Generator(solution(4))
    drive(asolve("problem", n_particles=4, seed=1, generator=generator, reward_model=RewardModel(fickle)))
    assert all(call.sampling.on_tokens is None for call in generator.calls)


def test_particles_wait_where_few_survive() -> None:
    ahead = RunAhead()
    assert ahead.pays
    ahead.settle(range(10), range(10))
    assert ahead.pays
    ahead.settle(range(10), range(3))
    assert not ahead.pays
    ahead.settle(range(100), range(round(100 * MIN_SURVIVAL) + 10))
    assert ahead.pays


@pytest.mark.parametrize("method", ["beam", "dvts", "epf_pool"])
def test_methods_that_leave_most_particles_behind_do_not_run_ahead(method: str) -> None:
    _, generator = search(0, method=method)
    assert all(call.sampling.on_tokens is None for call in generator.calls)


def test_a_failure_of_a_step_that_nobody_needs_does_not_show() -> None:
    def write(call: Call) -> Step:
        if call.sampling.on_tokens is not None and call.prefix.startswith("bad"):
            raise RuntimeError("the engine is lost")
        return step("good" if call.n == 0 else "bad") if call.depth == 0 else step(r"\boxed{1}", "eos")

    def judge(steps: tuple[str, ...]) -> float:
        return 0.9999 if steps[0] == "good" else 0.00001

    options: dict[str, Any] = {"n_particles": 4, "seed": 1, "annealing": "none", "odds_power": 1.0}
    result = drive(asolve("problem", generator=AheadGenerator(write), reward_model=RewardModel(judge), **options))
    assert result.answer == "1"


@pytest.mark.parametrize("options", [{}, {"lookahead": "reuse"}, {"lookahead": "redraw"}, {"method": "pf_once"}])
def test_the_embedded_pair_gives_the_same_result(options: dict[str, Any]) -> None:
    problem = "There are 45 birds on a wire. 17 fly away, then 5 come back. How many are there?"
    ahead, waiting = (
        drive(asolve(problem, n_particles=8, seed=2, run_ahead=run_ahead, **options)) for run_ahead in (True, False)
    )
    assert (ahead.answer, ahead.steps) == (waiting.answer, waiting.steps)
    texts = [[[s.token_ids for s in particle.steps] for particle in result.particles] for result in (ahead, waiting)]
    assert texts[0] == texts[1]
    assert ahead.usage.generated_tokens >= waiting.usage.generated_tokens
