"""Best of n against exact enumeration of a language model of three binary steps, for every way to aggregate step scores."""

import asyncio
import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from epf.core.errors import ContextTooLong
from epf.core.generator import Step
from epf.search import Particle, Scored, SearchResult, asolve, stream
from epf.search.answers.checker import AnswerChecker
from tests.search.scripted import Call, Generator, Models, RewardModel, drive, result_of, step

P_ONE = {"": 0.3, "0": 0.6, "1": 0.5, "00": 0.4, "01": 0.8}
SCORE = {"0": 0.5, "1": 0.7, "00": 0.35, "01": 0.6, "10": 0.3, "11": 0.75, "000": 0.2, "001": 0.7, "010": 0.8, "011": 0.4}
LEAVES = ["10", "11", "000", "001", "010", "011"]
AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda scores: scores[-1],
    "min": lambda scores: sorted(scores)[0],
    "product": lambda scores: float(np.prod(scores)),
    "mean": lambda scores: sum(scores) / len(scores),
}
Choose = Callable[[Sequence[str], str], str]
N = 3
N_SEEDS = 300


def write(call: Call) -> Step:
    path = call.prefix.replace("\n", "")
    path += "1" if np.random.default_rng(call.seed).random() < P_ONE[path] else "0"
    return step(f"{path[-1]}\\boxed{{1{path}}}", "eos") if path in LEAVES else step(path[-1])


def judge(steps: Sequence[str]) -> float:
    return SCORE["".join(text[0] for text in steps)]


def probability(leaf: str) -> float:
    return math.prod(P_ONE[leaf[:i]] if leaf[i] == "1" else 1 - P_ONE[leaf[:i]] for i in range(len(leaf)))


def odds(leaf: str, aggregation: str) -> float:
    value = AGGREGATIONS[aggregation]([SCORE[leaf[: i + 1]] for i in range(len(leaf))])
    return value / (1 - value)


def leaf_of(particle: Particle) -> str:
    return "".join(s.text[0] for s in particle.steps)


async def results(method: str, aggregation: str) -> list[SearchResult]:
    generator, reward_model, checker = Generator(write), RewardModel(judge), AnswerChecker()
    options: dict[str, Any] = {"method": method, "aggregation": aggregation, "n_particles": N, "checker": checker}
    found = [
        await asolve("problem", generator=generator, reward_model=reward_model, seed=seed, **options) for seed in range(N_SEEDS)
    ]
    await checker.aclose()
    return found


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.slow
def test_weights_times_evidence_are_the_exact_posterior(aggregation: str) -> None:
    table = np.zeros((N_SEEDS, len(LEAVES)))
    for row, result in zip(table, asyncio.run(results("weighted_best_of_n", aggregation)), strict=True):
        weights = np.exp([particle.log_weight for particle in result.particles])
        for particle, weight in zip(result.particles, weights / weights.sum(), strict=True):
            row[LEAVES.index(leaf_of(particle))] += weight * math.exp(result.log_evidence)
    exact = np.array([probability(leaf) * odds(leaf, aggregation) for leaf in LEAVES])
    table, exact = np.column_stack([table, table.sum(axis=1)]), np.append(exact, exact.sum())
    standard_error = table.std(axis=0, ddof=1) / np.sqrt(N_SEEDS)
    assert (np.abs(table.mean(axis=0) - exact) < 4 * standard_error).all()


def best(leaves: Sequence[str], aggregation: str) -> str:
    return max(leaves, key=lambda leaf: odds(leaf, aggregation))


def voted(leaves: Sequence[str], aggregation: str) -> str:
    return max(leaves, key=lambda leaf: odds(leaf, aggregation) * leaves.count(leaf))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize(("method", "choose"), [("best_of_n", best), ("weighted_best_of_n", voted)])
@pytest.mark.slow
def test_the_frequencies_of_answers_match_enumeration(method: str, choose: Choose, aggregation: str) -> None:
    exact = dict.fromkeys(LEAVES, 0.0)
    for leaves in product(LEAVES, repeat=N):
        exact[choose(leaves, aggregation)] += math.prod(map(probability, leaves))
    found = asyncio.run(results(method, aggregation))
    for result in found:
        assert result.answer == "1" + choose(tuple(map(leaf_of, result.particles)), aggregation)
    for leaf, p in exact.items():
        share = sum(result.answer == "1" + leaf for result in found) / N_SEEDS
        assert abs(share - p) <= 4 * math.sqrt(p * (1 - p) / N_SEEDS)


@pytest.mark.parametrize(("aggregation", "n_calls"), [("last", 1), ("min", 3), ("product", 3), ("mean", 3)])
def test_the_reward_model_is_called_no_more_than_needed(aggregation: str, n_calls: int) -> None:
    """All particles write the same three steps. A fourth step, beyond the limit of steps, is never scored."""

    def same_steps(call: Call) -> Step:
        return step(f"line {call.depth}") if call.depth < 2 else step("\\boxed{1}", "eos")

    async def main() -> None:
        reward_model = RewardModel()
        models: Models = {"generator": Generator(same_steps), "reward_model": reward_model}
        options: dict[str, Any] = {"method": "best_of_n", "aggregation": aggregation, "n_particles": 4, "seed": 1}
        events = [event async for event in stream("problem", **models, **options)]
        result = result_of(events)
        assert len(reward_model.calls) == result.usage.prm_calls == n_calls
        assert {particle.scores for particle in result.particles} == {(0.5,) * n_calls}
        assert {event.t for event in events if isinstance(event, Scored)} == set(range(4 - n_calls, 4))
        cut = await asolve("problem", **models, **options, max_steps=2)
        assert (cut.stop_reason, cut.usage.prm_calls) == ("max_steps", 0)

    drive(main())


@pytest.mark.parametrize(("aggregation", "expected"), [("product", 0.8 * 0.5), ("mean", 0.65), ("min", 0.5), ("last", 0.5)])
def test_a_step_in_pieces_counts_once_and_an_empty_end_does_not_count(aggregation: str, expected: float) -> None:
    pieces = [step(" ", "length"), step("a", "length"), step("b"), step("c"), step("", "eos")]
    score = {"a": 0.1, "ab": 0.8, "c": 0.5}

    async def main() -> None:
        models: Models = {
            "generator": Generator(lambda call: pieces[call.n]),
            "reward_model": RewardModel(lambda steps: score[steps[-1].strip()]),
        }
        result = await asolve("p", method="best_of_n", aggregation=aggregation, n_particles=1, **models)
        assert result.particles[0].log_weight == pytest.approx(math.log(expected / (1 - expected)))

    drive(main())


def test_a_solution_that_does_not_fit_into_the_reward_model_has_no_vote() -> None:
    def full(steps: Sequence[str]) -> float:
        if steps[0] == "wordy" and len(steps) == 2:
            raise ContextTooLong("full")
        return 0.9 if steps[0] == "wordy" else 0.1

    async def main() -> None:
        models: Models = {
            "generator": Generator(
                lambda call: step("\\boxed{1}", "eos") if call.depth else step("brief" if call.n else "wordy")
            ),
            "reward_model": RewardModel(full),
        }
        result = await asolve("p", method="best_of_n", aggregation="mean", n_particles=2, seed=1, **models)
        assert [particle.log_weight == -math.inf for particle in result.particles] == [True, False]
        assert result.shown == 1

    drive(main())
