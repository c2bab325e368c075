"""The confidence of whole searches: of the selected answer, from distinct solutions, by the map that was passed."""

import math
from dataclasses import replace
from typing import Any

import pytest

from epf.core.generator import Step
from epf.search import METHODS, SearchResult, asolve
from epf.search.confidence.fitted import ConfidenceMap, Fit
from epf.search.confidence.logistic import Logistic
from tests.search.scripted import Call, Generator, Judge, RewardModel, Writer, drive, solution, step


def search(write: Writer, judge: Judge, method: str = "best_of_n", **options: Any) -> SearchResult:
    models: Any = {"generator": Generator(write), "reward_model": RewardModel(judge)}
    return drive(asolve("1 and 1", method=method, seed=1, **models, **options))


def three_answers(call: Call) -> Step:
    return step(f"\\boxed{{{(1, 2, 1)[call.n]}}}", "eos")


SCORES = {"\\boxed{1}": 0.6, "\\boxed{2}": 0.9}


@pytest.mark.parametrize(
    ("method", "answer", "confidence"),
    [
        pytest.param("best_of_n", "2", 0.9 * 0.9 / 2.1, id="of the answer with the best score"),
        pytest.param("weighted_best_of_n", "2", 0.9 * 0.9 / 2.1, id="of the answer with the largest odds"),
        pytest.param("self_consistency", "1", 2 / 4, id="of the most frequent answer, without scores"),
    ],
)
def test_it_is_that_of_the_selected_answer(method: str, answer: str, confidence: float) -> None:
    result = search(three_answers, lambda steps: SCORES[steps[0]], method, n_particles=3)
    assert result.answer == answer
    assert result.confidence == pytest.approx(confidence)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_that_of_the_answer_that_was_drawn(seed: int) -> None:
    options: Any = {"answer_selection": "sample", "seed": seed}
    models: Any = {"generator": Generator(three_answers), "reward_model": RewardModel(lambda steps: SCORES[steps[0]])}
    result = drive(asolve("1 and 1", method="dvts", n_particles=3, beam_width=1, **options, **models))
    expected = {"1": 0.6 * 1.2 / 2.1, "2": 0.9 * 0.9 / 2.1}
    assert result.answer is not None
    assert result.confidence == pytest.approx(expected[result.answer])


def test_copies_of_a_particle_are_one_solution() -> None:
    """Only the first of eight particles is not hopeless, and it has finished: all others become copies of it."""

    def write(call: Call) -> Step:
        return step("\\boxed{7}", "eos") if call.n == 0 else step(f"step {call.n}")

    result = search(write, lambda steps: 0.4 if steps[0] == "\\boxed{7}" else 1e-6, "pf", n_particles=8)
    assert (len(result.particles), result.share) == (8, 1.0)
    assert result.evidence is not None
    assert result.evidence.n_solutions == 1
    assert result.confidence == pytest.approx(0.4)


def test_a_solution_without_an_answer_counts_in_full_against_it() -> None:
    result = search(lambda call: step("\\boxed{7}" if call.n else "nothing", "eos"), lambda steps: 0.8, n_particles=2)
    assert result.answer == "7"
    assert result.confidence == pytest.approx(0.8 * 0.8 / 1.8)


def test_without_an_answer_there_is_no_confidence() -> None:
    result = search(lambda call: step("nothing to see", "eos"), lambda steps: 0.9, n_particles=2)
    assert (result.answer, result.confidence, result.evidence) == (None, 0.0, None)


CONSTANT = ConfidenceMap("scripted", "scripted", 1, "by hand", Fit(Logistic(math.log(3), {}, {}), Logistic(0.0, {}, {})))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_map_that_is_passed_applies_to_every_method(method: str) -> None:
    n = 1 if method == "sample" else 4
    result = search(solution(2), lambda steps: 0.8, method, n_particles=n, confidence=CONSTANT)
    assert result.answer is not None
    assert result.confidence == pytest.approx(0.75 if METHODS[method].needs_reward_model else 0.5)  # type: ignore[index]


def test_a_method_without_a_reward_model_does_not_ask_for_its_name() -> None:
    other = replace(CONSTANT, reward_model="another")
    assert search(solution(2), lambda steps: 0.8, "self_consistency", n_particles=2, confidence=other).confidence == 0.5
