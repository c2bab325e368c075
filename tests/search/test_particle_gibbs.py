"""Particle Gibbs through the engine: the exact posterior stays, sweeps share the particles, the reference costs nothing."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from epf.core.generator import Step
from epf.search import Event, Particle, Resampled, StepTaken, asolve, runner, stream
from epf.search.answers.checker import AnswerChecker
from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome, Trajectory, append_step
from epf.search.methods.filtering import Potential, Sweep, run_filter
from epf.search.methods.particle_gibbs import PARTICLE_GIBBS
from epf.search.options import SearchOptions
from epf.search.runner import SearchRequest, resolve_options
from epf.search.smc.annealing import Schedule
from epf.search.smc.weights import FloatArray
from tests.search.scripted import Call, Generator, Models, RewardModel, drive, result_of, solution, step
from tests.search.test_engine_exact import LEAVES, judge, target, write

N_SEEDS = 400


def leaf_of(particle: Particle) -> int:
    return LEAVES.index("".join(s.text[0] for s in particle.steps))


def trajectory_to(leaf: str) -> Trajectory:
    trajectory = Trajectory()
    for t in range(1, len(leaf) + 1):
        made = step(f"{leaf[t - 1]}\\boxed{{{leaf}}}", "eos") if t == len(leaf) else step(leaf[t - 1])
        longer = append_step(trajectory, made, "\n\n")
        trajectory = Trajectory(longer.steps, (*trajectory.scores, judge(longer.texts)), status=longer.status)
    return trajectory


def posterior() -> FloatArray:
    gamma = np.array(list(target().values()))
    shares: FloatArray = gamma / gamma.sum()
    return shares


@pytest.mark.parametrize("annealing", ["none", "ess"])
@pytest.mark.slow
def test_a_sweep_leaves_the_posterior_as_it_is(annealing: Schedule) -> None:
    async def sweeps() -> FloatArray:
        table = np.zeros((N_SEEDS, len(LEAVES)))
        models: Models = {"generator": Generator(write), "reward_model": RewardModel(judge)}
        checker = AnswerChecker()
        for seed, row in enumerate(table):
            reference = trajectory_to(LEAVES[np.random.default_rng([5, seed]).choice(len(LEAVES), p=posterior())])

            async def conditional(run: SearchRun, reference: Trajectory = reference) -> Outcome:
                return await run_filter(run, Potential(run), Sweep((0, 1, 2), reference))

            method = replace(PARTICLE_GIBBS, run=conditional)
            options = SearchOptions(n_particles=3, seed=seed, annealing=annealing, ess_threshold=0.95, early_phase=1.0)
            request = SearchRequest("p", method, resolve_options(method, options))
            events: list[Event] = []
            result = await runner.search(request, checker=checker, emit=events.append, **models)
            assert all(event.ancestors[2] == 2 for event in events if isinstance(event, Resampled))
            weights = np.exp([particle.log_weight for particle in result.particles])
            for particle, weight in zip(result.particles, weights / weights.sum(), strict=True):
                row[leaf_of(particle)] += weight
        await checker.aclose()
        return table

    table = asyncio.run(sweeps())
    standard_error = table.std(axis=0, ddof=1) / math.sqrt(N_SEEDS)
    assert (np.abs(table.mean(axis=0) - posterior()) < 4 * standard_error).all()


@pytest.mark.slow
def test_many_sweeps_reach_the_posterior_and_the_first_one_s_evidence_is_unbiased() -> None:
    n_seeds, iterations = 12, 40
    shares, evidence = np.zeros((n_seeds, len(LEAVES))), np.zeros(n_seeds)

    async def sweeps() -> None:
        models: dict[str, Any] = {"generator": Generator(write), "reward_model": RewardModel(judge), "checker": AnswerChecker()}
        options: dict[str, Any] = {
            "method": "particle_gibbs",
            "n_particles": 3 * iterations,
            "iterations": iterations,
            "ess_threshold": 0.95,
        }
        for seed, row in enumerate(shares):
            result = await asolve("p", seed=seed, **models, **options)
            weights = np.exp([particle.log_weight for particle in result.particles])
            assert weights.sum() == pytest.approx(iterations)
            for particle, weight in zip(result.particles, weights / iterations, strict=True):
                row[leaf_of(particle)] += weight
            evidence[seed] = math.exp(result.log_evidence)
        await models["checker"].aclose()

    asyncio.run(sweeps())
    burn_in = 0.5 / iterations
    standard_error = shares.std(axis=0, ddof=1) / math.sqrt(n_seeds)
    assert (np.abs(shares.mean(axis=0) - posterior()) < 4 * standard_error + burn_in).all()
    assert abs(evidence.mean() - sum(target().values())) < 4 * evidence.std(ddof=1) / math.sqrt(n_seeds)


@pytest.mark.parametrize(("n", "iterations", "sizes"), [(8, 2, [4, 4]), (7, 3, [3, 2, 2]), (3, 9, [1, 1, 1]), (5, 1, [5])])
def test_sweeps_share_the_particles_and_the_reference_costs_nothing(n: int, iterations: int, sizes: list[int]) -> None:
    async def collect() -> tuple[list[Event], Generator]:
        generator = Generator(solution(3))
        options: dict[str, Any] = {
            "method": "particle_gibbs",
            "n_particles": n,
            "iterations": iterations,
            "seed": 1,
            "ess_threshold": 0.0,
        }
        events: list[Event] = [event async for event in stream("p", generator=generator, reward_model=RewardModel(), **options)]
        return events, generator

    events, generator = drive(collect())
    assert len(generator.calls) == 3 * n
    assert len(result_of(events).particles) == n
    taken = [event for event in events if isinstance(event, StepTaken)]
    drawn = [event for event in taken if event.n_tokens]
    assert sorted({event.particle for event in drawn}) == list(range(n))
    assert len(taken) - len(drawn) == 3 * (len(sizes) - 1), "a sweep reports the reference's steps again"
    rounds = [event for event in events if isinstance(event, Resampled)]
    assert [event.record.t for event in rounds] == [1, 2, 3] * len(sizes)
    assert [event.n_finished for event in rounds[2::3]] == np.cumsum(sizes).tolist()
    assert all(len(event.ancestors) == n for event in rounds)


def test_particles_continue_prefixes_of_the_reference_but_no_particle_of_another_sweep() -> None:
    def scored(steps: Sequence[str]) -> float:
        return 0.99 if steps[0] == "good" else 0.01

    def writes(call: Call) -> Step:
        if call.depth == 0:
            return step("good" if call.n == 0 else f"bad {call.n}")
        return step(f"\\boxed{{{call.n}}}", "eos")

    async def collect() -> list[Event]:
        options: dict[str, Any] = {
            "method": "particle_gibbs",
            "n_particles": 4,
            "seed": 1,
            "annealing": "none",
            "ess_threshold": 0.9,
        }
        return [event async for event in stream("p", generator=Generator(writes), reward_model=RewardModel(scored), **options)]

    events: list[Event] = drive(collect())
    first, second = [e.ancestors for e in events if isinstance(e, Resampled) and e.record.t == 1]
    assert first == (0, 0, 2, 3)
    assert set(second[2:]) <= {0, 1}
    assert second[:2] == (0, 1)
    particles = result_of(events).particles
    assert {particle.steps[0].text for particle in particles} == {"good"}
    assert len({particle.answer for particle in particles}) == 4


@pytest.mark.slow
def test_the_reference_is_drawn_by_weight() -> None:
    def writes(call: Call) -> Step:
        return step(f"{call.n % 2} \\boxed{{1}}", "eos")

    async def references() -> list[int]:
        models: Models = {
            "generator": Generator(writes),
            "reward_model": RewardModel(lambda steps: 0.8 if steps[0][0] == "0" else 0.5),
        }
        drawn = []
        for seed in range(500):
            options: dict[str, Any] = {"method": "particle_gibbs", "n_particles": 4, "seed": seed}
            retold = [e async for e in stream("p", **models, **options) if isinstance(e, StepTaken) and not e.n_tokens]
            drawn += [event.particle for event in retold]
        return drawn

    drawn = asyncio.run(references())
    assert len(drawn) == 500
    assert abs(drawn.count(0) / 500 - 0.8) < 4 * math.sqrt(0.8 * 0.2 / 500)
    assert set(drawn) == {0, 1}


def test_a_sweep_in_which_all_die_has_no_reference() -> None:
    def writes(call: Call) -> Step:
        return step("", "eos") if call.n < 2 else step("\\boxed{7}", "eos")

    options: dict[str, Any] = {"method": "particle_gibbs", "n_particles": 4, "seed": 1}
    result = drive(asolve("p", generator=Generator(writes), reward_model=RewardModel(), **options))
    assert (result.answer, result.share, result.stop_reason) == ("7", 1.0, "finished")
    assert [particle.log_weight for particle in result.particles] == [-math.inf, -math.inf, *[pytest.approx(math.log(0.5))] * 2]


def test_a_budget_spent_in_a_later_sweep_answers_from_all_that_finished() -> None:
    def writes(call: Call) -> Step:
        return step("\\boxed{7}", "eos") if call.n < 2 else step("x" * min(9, call.sampling.max_tokens), "length")

    options: dict[str, Any] = {"method": "particle_gibbs", "n_particles": 4, "seed": 1, "max_total_tokens": 60}
    result = drive(asolve("p", generator=Generator(writes), reward_model=RewardModel(), **options))
    assert (result.answer, result.share, result.stop_reason) == ("7", 1.0, "budget")
