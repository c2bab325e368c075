"""Steps, tokens and time run out: exact limits, and the best answer so far."""

import asyncio
import math
from collections.abc import Awaitable, Sequence
from typing import Any, Never

import pytest

from epf.core.errors import ContextTooLong, DeadlineExceeded
from epf.core.generator import Step
from epf.search import SearchResult, asolve
from epf.search.answers.checker import AnswerChecker
from epf.search.smc.filter import Weighting
from tests.search.scripted import SEARCHES, Call, Generator, Judge, RewardModel, Writer, drive, hold, solution, step, ways

LOOKAHEADS = ["none", "reuse", "redraw"]
SOON_S = 0.05


def run(
    write: Writer, judge: Judge = lambda steps: 0.5, method: str = "epf", **options: Any
) -> tuple[SearchResult, Generator, RewardModel]:
    generator, reward_model = Generator(write), RewardModel(judge)
    result = drive(asolve("problem", method=method, generator=generator, reward_model=reward_model, **{"seed": 1, **options}))
    return result, generator, reward_model


def endless(call: Call) -> Step:
    return step(f"s{call.depth} {call.seed % 97}")


@pytest.mark.parametrize(("method", "lookahead"), ways(SEARCHES))
@pytest.mark.parametrize("max_steps", [1, 2, 4])
def test_max_steps_is_exact(method: str, lookahead: str, max_steps: int) -> None:
    result, generator, _ = run(endless, method=method, lookahead=lookahead, max_steps=max_steps, n_particles=3)
    assert result.stop_reason == "max_steps"
    assert (result.answer, result.share, result.distribution) == (None, 0.0, ())
    assert {len(particle.steps) for particle in result.particles} == {max_steps}
    assert max(call.depth for call in generator.calls) == max_steps - 1
    assert result.solution.count("\n\n") == max_steps - 1


@pytest.mark.parametrize(("method", "lookahead"), ways(SEARCHES))
def test_an_answer_in_the_last_allowed_step_counts(method: str, lookahead: str) -> None:
    result, *_ = run(solution(4, n_answers=1), method=method, lookahead=lookahead, max_steps=4)
    assert (result.answer, result.stop_reason) == ("0", "finished")


@pytest.mark.parametrize("lookahead", LOOKAHEADS)
def test_unfinished_particles_have_no_vote(lookahead: str) -> None:
    def write(call: Call) -> Step:
        if call.depth == 0:
            return step("short" if call.n == 0 else f"long {call.n}")
        return step("\\boxed{7}", "eos") if call.prefix.startswith("short") else endless(call)

    result, *_ = run(write, max_steps=6, n_particles=4, lookahead=lookahead, weighting="incremental", ess_threshold=0.0)
    assert (result.answer, result.share, result.stop_reason) == ("7", 1.0, "max_steps")


@pytest.mark.parametrize(("method", "lookahead"), ways(SEARCHES))
@pytest.mark.parametrize("budget", [4, 37, 60, 95, 101])
def test_the_token_budget_is_never_exceeded(method: str, lookahead: str, budget: int) -> None:
    def write(call: Call) -> Step:
        made = endless(call)
        kept = made.token_ids[: call.sampling.max_tokens]
        return made if kept == made.token_ids else step(made.text[: len(kept)], "length")

    result, *_ = run(write, method=method, lookahead=lookahead, max_total_tokens=budget, n_particles=4)
    assert result.stop_reason == "budget"
    assert budget - 8 < result.usage.generated_tokens <= budget
    assert result.answer is None
    assert result.solution


@pytest.mark.parametrize("lookahead", LOOKAHEADS)
def test_a_spent_budget_answers_from_the_finished_particles(lookahead: str) -> None:
    def write(call: Call) -> Step:
        return step("\\boxed{7}", "eos") if call.n == 0 else endless(call)

    result, *_ = run(write, max_total_tokens=200, n_particles=3, resample_finished=False, lookahead=lookahead)
    assert (result.answer, result.share, result.stop_reason) == ("7", 1.0, "budget")


def test_a_budget_that_is_just_enough() -> None:
    needed = run(solution(3))[0].usage.generated_tokens
    result, *_ = run(solution(3), max_total_tokens=needed + 8 * 300)
    assert (result.stop_reason, result.usage.generated_tokens) == ("finished", needed)


@pytest.mark.parametrize("method", SEARCHES)
def test_a_deadline_before_the_first_step(method: str) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        run(hold, method=method, max_seconds=SOON_S)
    assert caught.value.param == "max_seconds"


@pytest.mark.parametrize(("method", "lookahead"), ways(["epf", "self_consistency", "beam", "dvts"]))
def test_a_deadline_with_unfinished_particles_shows_the_best_partial_solution(method: str, lookahead: str) -> None:
    result, generator, _ = run(
        lambda call: endless(call) if call.depth < 2 else hold(),
        method=method,
        lookahead=lookahead,
        max_seconds=SOON_S,
        n_particles=3,
    )
    assert (result.answer, result.stop_reason) == (None, "deadline")
    assert result.solution.count("\n\n") == 1
    assert generator.in_flight == 0
    assert generator.n_cancelled == 3


def test_a_deadline_limits_the_grading_of_answers_too() -> None:
    class NeverDone(AnswerChecker):
        async def classes(self, answers: Sequence[str | None]) -> tuple[int, ...]:
            await asyncio.Event().wait()
            return ()

    def write(call: Call) -> Step:
        return step("\\boxed{x}" if call.n < 2 else "\\boxed{y}", "eos")

    models: dict[str, Any] = {"generator": Generator(write), "reward_model": RewardModel(lambda steps: 0.5)}
    result = drive(asolve("problem", checker=NeverDone(), n_particles=3, seed=1, max_seconds=SOON_S, **models))
    assert [(share.answer, share.n_particles) for share in result.distribution] == [("x", 2), ("y", 1)]
    assert [warning.code for warning in result.warnings] == ["compared_as_text"]


@pytest.mark.parametrize("weighting", ["current", "incremental"])
def test_at_the_deadline_a_particle_that_finished_in_the_cut_round_answers(weighting: Weighting) -> None:
    def write(call: Call) -> Step | Awaitable[Step]:
        return step("\\boxed{7}", "eos") if call.n == 0 else hold()

    result, *_ = run(write, lambda steps: 0.8, n_particles=4, max_seconds=SOON_S, weighting=weighting)
    assert (result.answer, result.share, result.stop_reason) == ("7", 1.0, "deadline")
    assert sorted(len(particle.steps) for particle in result.particles) == [0, 0, 0, 1]


@pytest.mark.parametrize(("weighting", "share"), [("current", 0.9 / (0.9 + 0.6)), ("incremental", 9.0 / (9.0 + 1.5))])
def test_at_the_deadline_finished_particles_are_weighed_by_their_newest_score(weighting: Weighting, share: float) -> None:
    def write(call: Call) -> Step | Awaitable[Step]:
        return step(f"\\boxed{{{call.n}}}", "eos") if call.n < 2 else hold()

    score = {"\\boxed{0}": 0.6, "\\boxed{1}": 0.9}
    options: dict[str, Any] = {"weighting": weighting, "odds_power": 1.0}
    result, *_ = run(write, lambda steps: score[steps[0]], n_particles=3, max_seconds=SOON_S, **options)
    assert [math.exp(p.log_weight) for p in result.particles[:2]] == pytest.approx([1.5, 9.0])
    assert (result.answer, result.stop_reason) == ("1", "deadline")
    assert result.share == pytest.approx(share)


@pytest.mark.parametrize("method", ["best_of_n", "weighted_best_of_n", "self_consistency", "beam", "dvts"])
def test_at_the_deadline_a_baseline_answers_from_its_complete_solutions(method: str) -> None:
    def write(call: Call) -> Step | Awaitable[Step]:
        return step("\\boxed{7}", "eos") if call.n == 0 else hold()

    result, *_ = run(write, method=method, n_particles=4, max_seconds=SOON_S)
    assert (result.answer, result.stop_reason) == ("7", "deadline")


def test_a_deadline_while_scores_are_awaited() -> None:
    result, _, reward_model = run(
        lambda call: step(f"s{call.depth}"), lambda steps: 0.5 if len(steps) == 1 else hold(), max_seconds=SOON_S
    )
    assert (result.answer, result.solution, result.stop_reason) == (None, "s0", "deadline")
    assert reward_model.n_cancelled == 1


def test_a_prompt_that_fills_the_context_is_refused_before_any_token() -> None:
    generator = Generator(hold)
    generator.context_length = 3
    with pytest.raises(ContextTooLong) as caught:
        drive(asolve("problem", generator=generator, reward_model=RewardModel()))
    assert caught.value.param == "problem"
    assert generator.calls == []


def raising(error: Exception) -> Never:
    raise error


@pytest.mark.parametrize("lookahead", LOOKAHEADS)
def test_particles_with_a_full_context_give_way_to_others(lookahead: str) -> None:
    def write(call: Call) -> Step:
        if call.prefix.startswith("wordy"):
            raise ContextTooLong("full")
        if call.depth == 0:
            return step("wordy" if call.n % 2 else f"brief {call.n}")
        return step("\\boxed{7}", "eos")

    result, *_ = run(write, n_particles=6, lookahead=lookahead)
    assert (result.answer, result.stop_reason) == ("7", "finished")


@pytest.mark.parametrize("lookahead", LOOKAHEADS)
@pytest.mark.parametrize("who", ["generator", "reward model"])
def test_if_no_particle_has_room_the_best_partial_solution_is_shown(lookahead: str, who: str) -> None:
    full = ContextTooLong("full")

    def write(call: Call) -> Step:
        return endless(call) if call.depth < 2 or who == "reward model" else raising(full)

    def judge(steps: tuple[str, ...]) -> float:
        return 0.5 if len(steps) < 3 else raising(full)

    result, *_ = run(write, judge, lookahead=lookahead, n_particles=3)
    assert (result.answer, result.stop_reason) == (None, "context")
    assert result.solution.count("\n\n") == 1


def test_no_room_for_a_first_step_is_an_error() -> None:
    with pytest.raises(ContextTooLong):
        run(lambda call: raising(ContextTooLong("full")))


def test_two_searches_share_models_but_not_limits() -> None:
    generator, reward_model = Generator(solution(4, n_answers=1)), RewardModel()

    async def both() -> tuple[SearchResult, SearchResult]:
        return await asyncio.gather(
            asolve("a", generator=generator, reward_model=reward_model, seed=1, max_steps=2),
            asolve("b", generator=generator, reward_model=reward_model, seed=1),
        )

    short, whole = drive(both())
    assert (short.stop_reason, whole.stop_reason, whole.answer) == ("max_steps", "finished", "0")
