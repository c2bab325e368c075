"""What ends a particle besides the model: texts of ``stop``, and the limit of tokens for one particle; and the plain sample."""

from collections.abc import Sequence
from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.core.generator import Message, Step
from epf.core.reward_model import Score
from epf.search import SearchOptions, SearchResult, asolve
from epf.search.runner import resolve_request
from tests.search.scripted import Call, Generator, Judge, RewardModel, Writer, drive, step

WRITTEN = ("first line", "second line", "the answer is \\boxed{7}")


def write(call: Call) -> Step:
    text = WRITTEN[call.depth]
    return step(text, "eos" if call.depth == 2 else "separator")


def solved(
    method: str = "epf", writer: Writer = write, judge: Judge = lambda steps: 0.5, **options: Any
) -> tuple[SearchResult, Generator]:
    generator, reward_model = Generator(writer), RewardModel(judge)
    options = {"n_particles": 2, **options} if method != "sample" else options
    result = drive(asolve("p", method=method, generator=generator, reward_model=reward_model, **options))
    return result, generator


@pytest.mark.parametrize("method", ["epf", "best_of_n"])
@pytest.mark.parametrize(
    ("stop", "solution"),
    [
        (("cond",), "first line\n\nse"),
        (("line\n\nsec",), "first "),
        (("\n\n",), "first line"),
        (("nothing like it",), "\n\n".join(WRITTEN)),
        (("the answer", "second"), "first line\n\n"),
    ],
)
def test_a_solution_ends_before_the_first_stop(method: str, stop: tuple[str, ...], solution: str) -> None:
    result, _ = solved(method, stop=stop)
    assert result.solution == solution
    assert result.stop_reason == "finished"
    assert all(particle.finished for particle in result.particles)


def test_a_stop_within_the_answer_leaves_no_answer() -> None:
    result, _ = solved(stop=("boxed",))
    assert result.answer is None
    assert result.solution.endswith("the answer is \\")


def test_the_reward_model_does_not_read_beyond_a_stop() -> None:
    seen: list[tuple[str, ...]] = []

    def judge(steps: tuple[str, ...]) -> float:
        seen.append(steps)
        return 0.5

    solved(stop=("cond",), judge=judge)
    assert max(seen, key=len)[-1] == "se"


def test_a_stop_may_be_cut_in_two_by_the_token_limit() -> None:
    def pieces(call: Call) -> Step:
        return step("aaab" if call.prefix == "" else "baaa", "length")

    result, _ = solved("sample", pieces, stop=("bb",))
    assert result.solution == "aaa"


@pytest.mark.parametrize("method", ["epf", "best_of_n", "self_consistency", "sample", "beam", "dvts"])
def test_no_particle_is_longer_than_its_limit(method: str) -> None:
    result, generator = solved(
        method, lambda call: step("x" * call.sampling.max_tokens, "length"), max_tokens_per_particle=10, max_tokens_per_step=4
    )
    assert {sum(len(s.token_ids) for s in particle.steps) for particle in result.particles} == {10}
    assert [call.sampling.max_tokens for call in generator.calls if len(call.prefix) == 8] == [2] * len(result.particles)
    assert result.stop_reason == "max_tokens"
    assert result.answer is None
    assert result.solution == "x" * 10


def test_a_sample_is_the_unchanged_text_of_the_model() -> None:
    text = "one\n\nwith \\boxed{1}\n\nand more"
    result, generator = solved("sample", lambda call: step(text, "eos"))
    assert result.solution == text
    assert [(call.sampling.separator, len(generator.calls)) for call in generator.calls] == [("", 1)]
    assert len(result.particles) == 1
    assert result.shown == 0


def test_a_sample_has_one_particle() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_request("problem", SearchOptions(method="sample", n_particles=4))
    assert caught.value.param == "n_particles"


def test_the_solution_shown_is_that_of_the_particle_shown() -> None:
    result, _ = solved(
        "best_of_n",
        lambda call: step(f"\\boxed{{{call.n}}}", "eos"),
        n_particles=3,
        judge=lambda steps: 0.9 if "1" in steps[-1] else 0.1,
    )
    assert result.shown == 1
    assert result.particles[1].steps[-1].text == result.solution


def test_the_generator_gets_the_conversation_and_the_reward_model_the_problem() -> None:
    conversation = (Message("system", "Be short."), Message("user", "p"))
    given, asked = [], []

    class Talking(Generator):
        def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
            given.append(tuple(messages))
            return super().prompt_ids(messages[-1:])

    class Asked(RewardModel):
        async def score(self, problem: str, steps: Sequence[str]) -> Score:
            asked.append(problem)
            return await super().score(problem, steps)

    drive(asolve("the problem", generator=Talking(write), reward_model=Asked(), prompt=conversation))
    assert given == [conversation]
    assert set(asked) == {"the problem"}


def test_a_straggler_is_cut_and_continues_in_the_next_round() -> None:
    def slow_one(call: Call) -> Step:
        if call.depth == 0:
            return step("ab")
        if call.prefix.endswith("\n"):
            whole = "long \\boxed{5}" if call.n % 4 == 0 else "\\boxed{5}"
        else:
            whole = "long \\boxed{5}"[len(call.prefix.rpartition("\n")[2]) :]
        limit = call.sampling.max_tokens
        return step(whole, "eos") if len(whole) < limit else step(whole[:limit], "length")

    plain, _ = solved("epf", slow_one, n_particles=4, seed=1)
    cut, generator = solved("epf", slow_one, n_particles=4, seed=1, straggler_quantile=1.0, max_tokens_per_step=256)
    assert plain.answer == cut.answer == "5"
    first = {call.sampling.max_tokens for call in generator.calls if call.depth == 0}
    later = {call.sampling.max_tokens for call in generator.calls if call.depth == 1}
    assert first == {256}
    assert later == {3}, "a whole step of two letters and a separator"
    assert {particle.steps[1].finish for particle in cut.particles} == {"length"}
    assert {particle.steps[-1].finish for particle in cut.particles} == {"eos"}
