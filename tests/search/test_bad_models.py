"""Models that fail, return invalid values, write nothing or repeat themselves."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, Never

import pytest

from epf.core.errors import GeneratorError, InvalidRequest, RewardModelError, SearchFailed
from epf.core.generator import Step
from epf.core.reward_model import Score
from epf.search import SearchOptions, SearchResult, asolve, runner, stream
from epf.search.runner import resolve_request
from epf.search.smc.filter import Weighting
from tests.search.scripted import (
    AT_ONCE,
    SEARCHES,
    Call,
    Generator,
    Judge,
    RewardModel,
    Writer,
    drive,
    hold,
    solution,
    step,
    ways,
)

LOOKAHEADS = ["none", "reuse", "redraw"]


def run(
    write: Writer, judge: Judge = lambda steps: 0.5, method: str = "epf", **options: Any
) -> tuple[SearchResult, Generator, RewardModel]:
    generator, reward_model = Generator(write), RewardModel(judge)
    result = drive(asolve("problem", method=method, generator=generator, reward_model=reward_model, **{"seed": 1, **options}))
    return result, generator, reward_model


def raising(error: Exception) -> Never:
    raise error


async def cancelling_itself() -> Never:
    raise asyncio.CancelledError


BAD_SCORES: dict[str, Callable[[tuple[str, ...]], Any]] = {
    "NaN": lambda steps: math.nan,
    "negative": lambda steps: -0.1,
    "above one": lambda steps: 1.5,
    "infinite": lambda steps: math.inf,
    "missing": lambda steps: None,
    "no number": lambda steps: Score("0.5", 1),  # type: ignore[arg-type]
    "none inside": lambda steps: Score(None, 1),  # type: ignore[arg-type]
    "a list": lambda steps: [0.5],
    "raises": lambda steps: raising(RuntimeError("out of memory")),
    "times out": lambda steps: raising(TimeoutError("upstream")),
    "raises ours": lambda steps: raising(RewardModelError("down")),
    "gives up": lambda steps: cancelling_itself(),
}


@pytest.mark.parametrize("method", ["epf", "best_of_n"])
@pytest.mark.parametrize("judge", BAD_SCORES.values(), ids=BAD_SCORES)
def test_an_invalid_score_fails_its_own_search_only(judge: Judge, method: str) -> None:
    good, bad = RewardModel(), RewardModel(judge)
    generator = Generator(solution(3, n_answers=1))

    async def both() -> tuple[SearchResult | BaseException, SearchResult | BaseException]:
        return await asyncio.gather(
            asolve("a", method=method, generator=generator, reward_model=bad, max_seconds=10),
            asolve("b", method=method, generator=generator, reward_model=good),
            return_exceptions=True,
        )

    error, result = drive(both())
    assert type(error) is RewardModelError
    assert isinstance(result, SearchResult)
    assert result.answer == "0"


def test_an_invalid_score_cancels_the_calls_in_flight() -> None:
    generator, reward_model = Generator(lambda call: step("a") if call.n == 3 else hold()), RewardModel(BAD_SCORES["NaN"])
    with pytest.raises(RewardModelError):
        drive(asolve("problem", generator=generator, reward_model=reward_model, n_particles=4))
    assert (generator.n_cancelled, generator.in_flight) == (3, 0)


BAD_STEPS: dict[str, Callable[[Call], Any]] = {
    "raises": lambda call: raising(RuntimeError("out of memory")),
    "times out": lambda call: raising(TimeoutError("upstream")),
    "raises ours": lambda call: raising(GeneratorError("down")),
    "nothing": lambda call: None,
    "a text": lambda call: "a step",
    "gives up": lambda call: cancelling_itself(),
}


@pytest.mark.parametrize("method", SEARCHES)
@pytest.mark.parametrize("write", BAD_STEPS.values(), ids=BAD_STEPS)
def test_a_failing_generator_fails_the_search(write: Writer, method: str) -> None:
    generator = Generator(lambda call: write(call) if call.n == 2 else hold())
    options: dict[str, Any] = {"method": method, "n_particles": 4, "max_seconds": 10, **AT_ONCE.get(method, {})}
    with pytest.raises(GeneratorError):
        drive(asolve("p", generator=generator, reward_model=RewardModel(), **options))
    assert generator.in_flight == 0
    assert generator.n_cancelled >= 2


def test_an_invalid_request_of_a_model_keeps_its_type() -> None:
    error = InvalidRequest("no such separator", param="separator")
    with pytest.raises(InvalidRequest) as caught:
        run(lambda call: raising(error))
    assert caught.value is error


def test_a_stream_ends_with_the_error() -> None:
    async def main() -> list[str]:
        generator, reward_model = Generator(solution(3)), RewardModel(lambda steps: 0.5 if len(steps) < 2 else math.nan)
        kinds = []
        try:
            async for event in stream("problem", generator=generator, reward_model=reward_model):
                kinds.append(type(event).__name__)
        except RewardModelError:
            kinds.append("error")
        return kinds

    kinds = drive(main())
    assert kinds[0] == "Started"
    assert "Resampled" in kinds
    assert kinds[-1] == "error"
    assert "Answered" not in kinds


@pytest.mark.parametrize("lookahead", LOOKAHEADS)
@pytest.mark.parametrize("weighting", ["current", "incremental"])
@pytest.mark.parametrize("depth", [0, 1])
def test_particles_that_write_a_blank_step_go_on(depth: int, lookahead: str, weighting: Weighting) -> None:
    def write(call: Call) -> Step:
        return step(" \n") if call.depth == depth and call.seed % 2 else solution(4, n_answers=1)(call)

    result, *_ = run(write, lookahead=lookahead, weighting=weighting, n_particles=8)
    assert (result.answer, result.stop_reason) == ("0", "finished")
    assert all(particle.finished for particle in result.particles)


@pytest.mark.parametrize(("method", "lookahead"), ways(SEARCHES))
@pytest.mark.parametrize("text", ["", "again"])
def test_a_search_fails_if_all_particles_are_dead(text: str, lookahead: str, method: str) -> None:
    with pytest.raises(SearchFailed) as caught:
        run(lambda call: step(text), method=method, lookahead=lookahead)
    assert caught.value.status == 500


def test_a_particle_dies_at_the_third_equal_step() -> None:
    def write(call: Call) -> Step:
        return step("again") if call.depth < 2 else step("\\boxed{1}", "eos")

    result, *_ = run(write)
    assert (result.answer, len(result.particles[0].steps)) == ("1", 3)
    with pytest.raises(SearchFailed):
        run(lambda call: step("again") if call.depth < 3 else step("\\boxed{1}", "eos"))


def test_an_end_without_text_keeps_its_score() -> None:
    def write(call: Call) -> Step:
        return step("The answer is 3") if call.depth == 0 else step("", "eos")

    result, _, reward_model = run(write, lambda steps: 0.7)
    particle = result.particles[0]
    assert (particle.finished, particle.answer, particle.scores) == (True, "3", (0.7, 0.7))
    assert (result.answer, result.stop_reason, result.solution) == ("3", "finished", "The answer is 3")
    assert reward_model.calls == [("The answer is 3",)]


def test_a_particle_that_ends_before_any_text_dies() -> None:
    with pytest.raises(SearchFailed):
        run(lambda call: step("", "eos"))


def test_a_step_cut_at_its_limit_continues_and_is_read_as_one() -> None:
    pieces = iter([step("It is \\box", "length"), step("ed{4"), step("2}", "length"), step(" apples", "length")])

    def write(call: Call) -> Step:
        return next(pieces, None) or step("", "eos")

    result, generator, reward_model = run(write, n_particles=1)
    assert reward_model.calls == [
        ("It is \\box",),
        ("It is \\boxed{4",),
        ("It is \\boxed{4", "2}"),
        ("It is \\boxed{4", "2} apples"),
    ]
    assert [s.finish for s in result.particles[0].steps] == ["length", "separator", "length", "length", "eos"]
    assert generator.calls[1].prefix == "It is \\box"


@pytest.mark.parametrize("method", SEARCHES)
def test_a_step_cut_before_it_has_any_text_is_not_scored(method: str) -> None:
    pieces = [step(" ", "length"), step("a \\boxed{3}", "eos")]
    result, _, reward_model = run(lambda call: pieces[len(call.prefix)], method=method, n_particles=2)
    assert result.answer == "3"
    assert set(reward_model.calls) <= {(" a \\boxed{3}",)}


def test_an_answer_cut_in_two_is_found() -> None:
    pieces = iter([step("It is \\boxed{4", "length"), step("2}")])
    result, *_ = run(lambda call: next(pieces), n_particles=1)
    assert (result.answer, result.solution, result.stop_reason) == ("42", "It is \\boxed{42}", "finished")
    assert [s.finish for s in result.particles[0].steps] == ["length", "answer"]


def test_a_step_cut_at_its_limit_is_never_a_solution() -> None:
    result, *_ = run(lambda call: step(f"\\boxed{{{call.n}}}", "length"), max_steps=3, n_particles=2)
    assert (result.answer, result.stop_reason) == (None, "max_steps")
    assert not any(particle.finished for particle in result.particles)


@pytest.mark.parametrize(
    ("text", "answer"), [("\\boxed{1}", "1"), ("so \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"), ("so\n#### 7", "7")]
)
def test_an_answer_ends_a_particle(text: str, answer: str) -> None:
    result, generator, _ = run(lambda call: step(text), n_particles=2)
    assert (result.answer, len(generator.calls)) == (answer, 2)
    assert result.particles[0].steps[-1].finish == "answer"


@pytest.mark.parametrize("text", ["\\boxed{}", "\\boxed{ }", "\\boxed{1", "boxed 1", "\n#### Step 1"])
def test_an_empty_or_open_box_does_not_end_a_particle(text: str) -> None:
    result, *_ = run(lambda call: step(f"{call.n} {text}"), n_particles=2, max_steps=2)
    assert result.stop_reason == "max_steps"


@pytest.mark.parametrize("method", SEARCHES)
def test_scores_at_the_very_ends_of_their_range(method: str) -> None:
    result, *_ = run(solution(3, n_answers=1), lambda steps: float(sum(map(ord, steps[-1])) % 2), method=method)
    assert result.answer == "0"
    assert result.share == pytest.approx(1.0)


def test_a_method_that_needs_a_reward_model_and_one_that_does_not() -> None:
    generator = Generator(solution(2, n_answers=1))
    models: dict[str, Any] = {"generator": generator, "reward_model": None}
    with pytest.raises(InvalidRequest) as caught:
        drive(runner.search(resolve_request("problem", SearchOptions()), **models))
    assert (caught.value.param, generator.calls) == ("method", [])
    assert drive(runner.search(resolve_request("problem", SearchOptions(method="self_consistency")), **models)).answer == "0"


def test_a_reward_model_that_is_lost_in_mid_search_leaves_the_best_answer_so_far() -> None:
    """One particle has finished and is scored; then the reward model is gone."""

    def judge(steps: tuple[str, ...]) -> float:
        return 0.8 if "boxed" in steps[-1] or len(steps) == 1 else raising(RewardModelError("The server failed."))

    def write(call: Call) -> Step:
        return step("\\boxed{7}", "eos") if call.n == 0 else step(f"s{call.depth} {call.n}")

    for method in ("epf", "pf", "beam"):
        models: dict[str, Any] = {"generator": Generator(write), "reward_model": RewardModel(judge)}
        options: dict[str, Any] = {} if method == "beam" else {"resample_finished": False}
        result = drive(asolve("problem", method=method, n_particles=4, seed=1, **options, **models))
        assert (result.answer, result.stop_reason) == ("7", "model_failed"), method
        assert models["generator"].in_flight == 0


@pytest.mark.parametrize("method", ["epf", "beam", "best_of_n", "weighted_best_of_n", "adaptive"])
def test_a_particle_whose_last_score_is_cut_short_still_answers(method: str) -> None:
    """All particles but one wait for the score of their last step when the reward model is lost."""
    n_scored = 0

    def judge(steps: tuple[str, ...]) -> float:
        nonlocal n_scored
        if "boxed" in steps[-1]:
            n_scored += 1
        return 0.8 if n_scored < 2 else raising(RewardModelError("The server failed."))

    def write(call: Call) -> Step:
        return step(f"{call.n}: \\boxed{{7}}", "eos") if call.depth else step(f"s {call.n}")

    models: dict[str, Any] = {"generator": Generator(write), "reward_model": RewardModel(judge)}
    result = drive(asolve("problem", method=method, n_particles=4, seed=1, **models))
    assert (result.answer, result.stop_reason) == ("7", "model_failed")
    n_finished = sum(particle.finished for particle in result.particles)
    assert n_finished > 1
    (warning,) = (warning for warning in result.warnings if warning.code == "not_scored")
    assert " scores are missing, " in warning.message


@pytest.mark.parametrize("method", sorted(set(SEARCHES) - {"ipf", "self_consistency", "sample"}))
def test_a_search_goes_on_without_a_reward_model_that_is_lost_in_mid_search(method: str) -> None:
    lost = RewardModelError("The server failed.")
    lost.lost = True
    n_asked = 0

    def judge(steps: tuple[str, ...]) -> float:
        nonlocal n_asked
        n_asked += 1
        return 0.7 if n_asked == 1 else raising(lost)

    models: dict[str, Any] = {"generator": Generator(solution(3, n_answers=1)), "reward_model": RewardModel(judge)}
    result = drive(asolve("problem", method=method, n_particles=4, seed=1, **models))
    assert (result.answer, result.stop_reason) == ("0", "model_failed")
    assert "not_scored" in [warning.code for warning in result.warnings]
    assert all(particle.finished and particle.scores[-1] in (0.7, 0.5) for particle in result.particles)


@pytest.mark.parametrize("method", ["epf", "best_of_n"])
def test_a_reward_model_that_never_scored_anything_fails_the_search(method: str) -> None:
    models: dict[str, Any] = {
        "generator": Generator(lambda call: step("\\boxed{7}", "eos")),
        "reward_model": RewardModel(lambda steps: raising(RewardModelError("The server failed."))),
    }
    with pytest.raises(RewardModelError, match=r"The server failed\."):
        drive(asolve("problem", method=method, n_particles=4, seed=1, **models))


@pytest.mark.parametrize("method", SEARCHES)
def test_a_model_that_is_lost_before_a_particle_finishes_fails_the_search(method: str) -> None:
    lost = GeneratorError("The server failed.")
    models: dict[str, Any] = {
        "generator": Generator(lambda call: raising(lost) if call.depth else step("a first step")),
        "reward_model": RewardModel(lambda steps: 0.8),
    }
    with pytest.raises(GeneratorError, match=r"The server failed\."):
        drive(asolve("problem", method=method, n_particles=4, seed=1, **models))
