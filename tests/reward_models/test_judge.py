"""A language model as judge: its prompt, and how its verdict becomes a probability."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from epf.core.errors import ContextTooLong, InvalidRequest, RewardModelError
from epf.core.reward_model import RewardModel, Score
from epf.reward_models.http import connect
from epf.reward_models.judge import ChatJudge
from tests.contract.reward_model import RewardModelContract
from tests.engines.http.server import Answer, Request, Upstreams, upstream

T = TypeVar("T")


def chat(text: str | None, tokens: list[Any] | None = None, **choice: Any) -> Answer:
    content = {"logprobs": {"content": tokens}} if tokens is not None else {}
    return Answer(
        {
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | content | choice
            ],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5},
        }
    )


def token(text: str, **top: float) -> dict[str, Any]:
    return {"token": text, "logprob": 0.0, "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in top.items()]}


def run(answer: Callable[[Request], Answer], test: Callable[[RewardModel, Upstreams], Awaitable[T]], prompt: str) -> T:
    async def main() -> T:
        async with upstream(answer) as server:
            judge = ChatJudge(connect([server.url]), "some-model", prompt)
            try:
                return await test(judge, server)
            finally:
                await judge.aclose()

    return asyncio.run(asyncio.wait_for(main(), 30))


class TestContract(RewardModelContract):
    too_long = 2000

    def run(self, test: Callable[[RewardModel], Awaitable[T]]) -> T:
        def answer(request: Request) -> Answer:
            if request.path == "/v1/models":
                return Answer({"data": []})
            (message,) = request.body["messages"]
            if len(message["content"]) > 40_000:
                return Answer({"error": {"code": "context_length_exceeded"}}, 400)
            yes = hash(message["content"]) % 9973 / 9973
            verdict = [token("Is the solution correct?"), token(" Yes", **{" Yes": yes, " No": 1 - yes})]
            return chat("Is the solution correct? Yes", verdict)

        return run(answer, lambda judge, _: test(judge), "judge")


def asked(prompt: str) -> str:
    async def test(judge: RewardModel, server: Upstreams) -> str:
        await judge.score("Is {problem} {0}?", ["{solution}", "b\nc"])
        assert server.requests[0].path == "/v1/chat/completions"
        assert server.requests[0].body["temperature"] == 0
        (message,) = server.requests[0].body["messages"]
        return str(message["content"])

    return run(lambda _: chat("Is the solution correct? Yes"), test, prompt)


THINKPRM = """You are given a math problem and a proposed step-by-step solution:

[Math Problem]

Is {problem} {0}?

[Solution]

Step 1: {solution}

Step 2: b
c

Review and critique each step in the proposed solution to determine whether each step is correct. \
If the solution is incomplete, only verify the provided steps."""


def test_the_prompt_of_thinkprm_is_the_one_it_was_trained_with() -> None:
    assert asked("thinkprm") == THINKPRM


def test_the_prompt_of_other_judges_asks_for_the_verdict() -> None:
    prompt = asked("judge")
    assert prompt.startswith(THINKPRM)
    assert "Is the solution correct? Yes" in prompt[len(THINKPRM) :]


TEXT = "Step 1: \\boxed{correct}. Is the solution correct? No, wait. Is the solution correct? Yes"
TOKENS = ["Step 1: ", "\\boxed{correct}. Is the solution correct?", " No", ", wait. Is the solution correct? ", "Yes"]


@pytest.mark.parametrize(
    ("answer", "probability"),
    [
        (chat("Is the solution correct? Yes"), 0.75),
        (chat("...\n\nIs the solution correct? **No**"), 0.25),
        (chat("Is the solution correct? Yes. Hm. Is the solution correct? no."), 0.25),
        (chat(TEXT, [*map(token, TOKENS[:4]), token("Yes", Yes=0.6, yes=0.1, No=0.2, Maybe=0.1)]), 0.7 / 0.9),
        (chat(TEXT, [*map(token, TOKENS[:4]), token("Yes", Ye=1.0)]), 0.75),
        (chat(TEXT, []), 0.75),
    ],
)
def test_the_last_verdict_counts(answer: Answer, probability: float) -> None:
    async def test(judge: RewardModel, server: Upstreams) -> None:
        score = await judge.score("Why?", ["a"])
        assert score.probability == pytest.approx(probability, abs=1e-9)
        assert score.n_tokens == 25

    run(lambda _: answer, test, "judge")


@pytest.mark.parametrize(
    "answer",
    [
        chat(""),
        chat(None),
        chat("I cannot say."),
        chat("Is the solution correct? Yesterday"),
        Answer({"choices": []}),
        Answer({"choices": [{"message": "x"}]}),
        Answer({"choices": [{"message": {"content": 3}}]}),
        chat(TEXT, [{"token": 1}]),
        chat(TEXT, [{"token": TEXT}]),
        chat("Is the solution correct? Yes", usage=None, logprobs=[1]),
        Answer({"error": {"message": "no such model"}}, 404),
    ],
)
def test_a_missing_verdict_is_an_error(answer: Answer) -> None:
    async def test(judge: RewardModel, server: Upstreams) -> None:
        with pytest.raises(RewardModelError):
            await judge.score("Why?", ["a"])

    run(lambda _: answer, test, "judge")


def test_a_server_without_log_probabilities_is_asked_without_them(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Answer:
        if "logprobs" in request.body:
            return Answer({"error": {"param": "logprobs", "message": "not supported"}}, 400)
        return chat("Is the solution correct? Yes")

    async def test(judge: RewardModel, server: Upstreams) -> None:
        assert await judge.score("Why?", ["a"]) == Score(0.75, 25)
        assert await judge.score("Why?", ["b"]) == Score(0.75, 25)
        assert len(server.requests) == 3

    run(answer, test, "judge")
    assert caplog.text.count("no log probabilities") == 1


def test_other_rejections_are_reported() -> None:
    async def test(judge: RewardModel, server: Upstreams) -> None:
        with pytest.raises(ContextTooLong):
            await judge.score("Why?", ["a"])
        with pytest.raises(InvalidRequest):
            await judge.score("Why?", [])

    run(lambda _: Answer({"error": {"code": "context_length_exceeded"}}, 400), test, "judge")
