"""Invalid responses and rejections of a generator's server fail only their own request, with a message that says why."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Message, Sampling, Step
from epf.engines.http.connections import MAX_RESPONSE_BYTES
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.generator import OpenAiGenerator
from tests.engines.http.server import Answer, Request, Upstreams, upstream

T = TypeVar("T")
TOKENIZER = ChatTokenizer(STORIES.generator)
A_SECRET = "a secret problem"
PREFIX = TOKENIZER.render([Message("user", A_SECRET)])
TWO, DOT, BLANK, END = TOKENIZER.encode("2")[0], TOKENIZER.encode(".")[0], TOKENIZER.encode("\n\n")[0], min(TOKENIZER.eos_ids)


def choice(text: str, ids: Any, log_probs: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "text": text,
        "token_ids": ids,
        "logprobs": {"token_logprobs": log_probs},
        "finish_reason": finish,
    } | more


def stream(*choices: Any) -> Answer:
    """A response with one event for each list of choices."""
    events = [json.dumps({"choices": each if isinstance(each, list) else [each]}) for each in choices]
    return Answer("".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode())


GOOD = stream(choice("2", [TWO], [-0.5]), choice(".\n\n", [DOT, BLANK], [-0.25, 0], "stop", stop_reason="\n\n"))
STEP = Step((TWO, DOT, BLANK), "2.", "separator", (-0.5, -0.25, 0.0))


def run(answer: Callable[[Request], Answer], test: Callable[[OpenAiGenerator, Upstreams], Awaitable[T]], **options: Any) -> T:
    async def main() -> T:
        async with upstream(answer) as server:
            pool = Upstream([server.url], GeneratorError, "the generator", **options)
            generator = OpenAiGenerator(pool, TOKENIZER, "tiny", 512)
            try:
                return await test(generator, server)
            finally:
                await generator.aclose()

    return asyncio.run(asyncio.wait_for(main(), 30))


def one_after_the_other(*answers: Answer) -> Callable[[Request], Answer]:
    rest = iter(answers)
    return lambda _: next(rest)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)


NONSENSE = {
    "two choices": stream([choice("2", [TWO], [-0.5], "stop")] * 2),
    "no choice": stream([], []),
    "an invalid choice": stream(["2"]),
    "invalid choices": Answer(b'data: {"choices": 2}\n\ndata: [DONE]\n\n'),
    "a text that is a number": stream(choice("2", [TWO], [-0.5], "stop") | {"text": 2}),
    "a chat": stream({"index": 0, "delta": {"content": "2"}, "finish_reason": "stop"}),
    "ids in words": stream(choice("2", ["2"], [-0.5], "stop")),
    "ids below 0": stream(choice("2", [-1], [-0.5], "stop")),
    "one id": stream(choice("2", TWO, [-0.5], "stop")),
    "no ids any more": stream(choice("2", None, [-0.5], "stop")),
    "ids and then none": stream(choice("2", [TWO], [-0.5]), choice(".", None, [-0.5], "stop")),
    "not a token": stream(choice("", [], [], "length")),
    "NaN": stream(choice("2", [TWO], [float("nan")], "stop")),
    "a probability in place of its logarithm": stream(choice("2", [TWO], [0.5], "stop")),
    "true": stream(choice("2", [TWO], [True], "stop")),
    "a number beyond all": stream(choice("2", [TWO], [-(10**400)], "stop")),
    "no number": stream(choice("2", [TWO], [None], "stop")),
    "fewer log probabilities": stream(choice("2.", [TWO, DOT], [-0.5], "stop")),
    "more log probabilities": stream(choice("2", [TWO], [-0.5, -0.5], "stop")),
    "an unknown reason to end": stream(choice("2", [TWO], [-0.5], "weather")),
    "a separator that was not sampled": stream(choice("2\n\n", [TWO], [-0.5], "stop", stop_reason="\n\n")),
    "huge": stream(choice("2" * 2 * MAX_RESPONSE_BYTES, [TWO], [-0.5], "stop")),
    "redirect": Answer({}, 302, {"location": "/v1/completions"}),
    "unauthorized": Answer({"error": {"message": "no"}}, 401),
    "no route": Answer({"detail": "Not Found"}, 404),
}


@pytest.mark.parametrize("nonsense", sorted(NONSENSE))
def test_an_invalid_response_fails_only_its_request(nonsense: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        assert await generator.step(PREFIX, Sampling(), 0) == STEP
        with pytest.raises(GeneratorError) as caught:
            await generator.step(PREFIX, Sampling(), 0)
        assert await generator.step(PREFIX, Sampling(), 0) == STEP
        assert len(server.requests) == 3
        assert "secret" not in f"{caught.value} {caplog.text}"

    run(one_after_the_other(GOOD, NONSENSE[nonsense], GOOD), test, api_key="a-secret-key")


def test_an_aborted_response_is_requested_again() -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        assert await generator.step(PREFIX, Sampling(), 0) == STEP
        assert len(server.requests) == 2

    run(one_after_the_other(stream(choice("2", [TWO], [-0.5], "abort")), GOOD), test)


@pytest.mark.parametrize(
    ("answer", "error", "param"),
    [
        (Answer({"error": {"code": 400, "param": "input_tokens", "message": "512 tokens"}}, 400), ContextTooLong, None),
        (Answer({"error": {"message": "This model's maximum context length is 512 tokens."}}, 400), ContextTooLong, None),
        (Answer({"error": {"code": 400, "param": "temperature", "message": A_SECRET}}, 400), InvalidRequest, "temperature"),
        (Answer({"error": {"code": 400, "param": "stop", "message": A_SECRET}}, 400), InvalidRequest, "separator"),
        (Answer({"error": {"code": 400, "param": A_SECRET, "message": A_SECRET}}, 400), GeneratorError, None),
        (Answer({"error": {"code": 403, "message": A_SECRET}}, 403), GeneratorError, None),
        (Answer({"error": {"code": 500, "message": A_SECRET}}, 500), GeneratorError, None),
    ],
)
def test_a_rejection_names_the_field_at_fault_and_repeats_no_server_text(
    answer: Answer, error: type[SearchServiceError], param: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        with pytest.raises(SearchServiceError) as caught:
            await generator.step(PREFIX, Sampling(), 0)
        assert type(caught.value) is error
        assert caught.value.param == param
        assert server.requests[0].headers["authorization"] == "Bearer a-secret-key"
        for text in (str(caught.value), repr(generator), caplog.text):
            assert "secret" not in text

    run(lambda _: answer, test, api_key="a-secret-key")


@pytest.mark.parametrize("first", [Answer({"error": {"message": "prompt"}}, 400), Answer(b"", 500)])
def test_a_server_that_returns_ids_for_text_supports_ids(first: Answer) -> None:
    """A server that returns token ids for a text supports them, whatever its reason to reject the first request."""

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        assert await generator.step(PREFIX, Sampling(), 0) == STEP
        assert [type(request.body["prompt"]) for request in server.requests] == [list, str, list]

    run(one_after_the_other(first, GOOD, GOOD), test)


def test_a_server_that_supports_ids_is_never_asked_by_text() -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        await generator.step(PREFIX, Sampling(), 0)
        with pytest.raises(GeneratorError, match="status 400"):
            await generator.step(PREFIX, Sampling(), 0)
        assert all(request.body["prompt"] == list(PREFIX) for request in server.requests)

    refused = iter([GOOD])
    run(lambda _: next(refused, Answer({"error": {"code": 400}}, 400)), test)


def test_a_stream_of_text_is_left_at_the_separator() -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        await generator.step(PREFIX, Sampling(), 0)
        server.left.clear()
        assert (await generator.step(PREFIX, Sampling(), 0)).text == "2."
        await server.left.wait()

    events = [{"choices": [{"text": text, "finish_reason": None}]} for text in ("2", ".\n", "\nSo", " 4")]
    endless = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)
    run(lambda _: Answer(endless, drip=b": still here\n\n"), test, timeout_s=5)


def test_finish_reasons_of_text_steps() -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> list[Step]:
        return [await generator.step(PREFIX, Sampling(max_tokens=2), 0) for _ in range(3)]

    ended = stream(choice("2", [TWO, END], [-0.5, -1], "stop", stop_reason=None))
    by_token = stream(choice("2", [TWO, END], [-0.5, -1], "stop", stop_reason=END))
    cut = stream(choice("2.", [TWO, DOT], [-0.5, -1], "length"), [], choice("", [], []))
    cut = Answer(cut.body.replace(b'"choices": []', b'"choices": [], "usage": {"total_tokens": 9}'))
    steps = run(one_after_the_other(ended, by_token, cut), test)
    assert steps == [Step((TWO, END), "2", "eos", (-0.5, -1.0))] * 2 + [Step((TWO, DOT), "2.", "length", (-0.5, -1.0))]


def test_steps_of_one_prompt_go_to_one_server_and_all_servers_are_used() -> None:
    async def main() -> None:
        async with upstream(lambda _: GOOD) as one, upstream(lambda _: GOOD) as two:
            pool = Upstream([one.url, two.url], GeneratorError, "the generator")
            generator = OpenAiGenerator(pool, TOKENIZER, "tiny", 512)
            prompts = [generator.prompt_ids([Message("user", f"Problem {i}")]) for i in range(12)]
            for written in ((), STEP.token_ids, STEP.token_ids * 2):
                await asyncio.gather(*(generator.step((*ids, *written), Sampling(), 0) for ids in prompts))
            await generator.aclose()
            read = [
                {ids for ids in prompts for r in s.requests if tuple(r.body["prompt"][: len(ids)]) == ids} for s in (one, two)
            ]
            assert read[0]
            assert read[1]
            assert not read[0] & read[1]

    asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize(
    ("prefix", "sampling", "error", "param"),
    [
        (PREFIX, Sampling(max_tokens=0), InvalidRequest, "max_tokens"),
        ((), Sampling(), InvalidRequest, "prefix_ids"),
        ((5, -1), Sampling(), InvalidRequest, "prefix_ids"),
        ((5,) * 512, Sampling(), ContextTooLong, None),
    ],
)
def test_bad_arguments_are_rejected_before_a_request_is_sent(
    prefix: tuple[int, ...], sampling: Sampling, error: type[SearchServiceError], param: str | None
) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        with pytest.raises(error) as caught:
            await generator.step(prefix, sampling, 0)
        assert caught.value.param == param
        assert not server.requests

    run(lambda _: GOOD, test)
