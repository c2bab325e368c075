"""Adaptive sampling: the number of solutions drawn, and sums that stay unbiased whatever ends the sampling."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from epf.core.generator import Step
from epf.search import Event, Resampled, SearchResult, asolve, stream
from epf.search.answers.checker import AnswerChecker
from epf.search.smc.weights import FloatArray, IntArray
from tests.search.scripted import Call, Generator, Models, RewardModel, drive, result_of, step
from tests.search.test_engine_exact import LEAVES, judge, target, write


def run(answers: str, scores: Mapping[str | None, float], **options: Any) -> tuple[SearchResult, list[Resampled]]:
    """Solution i has answer ``answers[i]`` and the score of this answer in ``scores``."""

    def writes(call: Call) -> Step:
        return step(f"{call.n} \\boxed{{{answers[call.n]}}}", "eos")

    async def collect() -> list[Event]:
        models: Models = {"generator": Generator(writes), "reward_model": RewardModel(lambda steps: scores[steps[0][-2]])}
        options_: dict[str, Any] = {"method": "adaptive", "n_particles": 16, "seed": 1, **options}
        return [event async for event in stream("p", **models, **options_)]

    events = drive(collect())
    return result_of(events), [event for event in events if isinstance(event, Resampled)]


SURE, UNSURE = {"a": 0.99, "b": 0.99}, {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("answers", "scores", "certainty", "drawn"),
    [
        ("a" * 16, SURE, 0.95, 4),
        ("a" * 16, SURE, 0.99, 6),
        ("a" * 16, UNSURE, 0.95, 8),
        ("ab" * 8, SURE, 0.95, 16),
        ("abba" + "a" * 12, SURE, 0.85, 8),
        ("a" * 16, SURE, 0.0, 1),
        ("a" * 16, SURE, 1.0, 16),
    ],
)
@pytest.mark.slow
def test_solutions_are_drawn_until_the_answer_is_certain(
    answers: str, scores: Mapping[str | None, float], certainty: float, drawn: int
) -> None:
    result, rounds = run(answers, scores, certainty=certainty)
    assert len(result.particles) == rounds[-1].n_finished == result.usage.prm_calls == drawn
    assert (result.answer, result.stop_reason) == ("a", "finished")
    assert all(len(event.ancestors) == 16 for event in rounds)
    odds = [scores[particle.answer] / (1 - scores[particle.answer]) for particle in result.particles]
    assert [particle.log_weight for particle in result.particles] == pytest.approx(np.log(odds))
    assert result.log_evidence == pytest.approx(math.log(np.mean(odds)))


@pytest.mark.slow
def test_an_answer_that_leads_by_odds_and_not_by_votes_is_not_certain() -> None:
    result, _ = run("abbb" + "a" * 4, {"a": 0.999, "b": 0.5}, n_particles=8, certainty=0.8)
    assert len(result.particles) == 8


def test_solutions_without_an_answer_do_not_vote() -> None:
    result, _ = run(" " * 4 + "a" * 12, {" ": 0.99, "a": 0.99})
    assert (len(result.particles), result.answer, result.share) == (8, "a", 1.0)


@pytest.mark.slow
def test_sums_are_unbiased_per_solution_drawn() -> None:
    n_seeds = 300

    async def sums() -> tuple[FloatArray, IntArray]:
        models: dict[str, Any] = {"generator": Generator(write), "reward_model": RewardModel(judge), "checker": AnswerChecker()}
        table, drawn = np.zeros((n_seeds, len(LEAVES))), []
        for seed, row in enumerate(table):
            result = await asolve("p", method="adaptive", n_particles=8, certainty=0.7, seed=seed, **models)
            for particle in result.particles:
                row[LEAVES.index("".join(s.text[0] for s in particle.steps))] += math.exp(particle.log_weight)
            drawn.append(len(result.particles))
        await models["checker"].aclose()
        return table, np.array(drawn)

    table, drawn = asyncio.run(sums())
    assert set(drawn) == {1, 2, 4, 8}
    excess = table - drawn[:, None] * np.array(list(target().values()))
    assert (np.abs(excess.mean(axis=0)) < 4 * excess.std(axis=0, ddof=1) / math.sqrt(n_seeds)).all()
