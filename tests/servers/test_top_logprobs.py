"""The most likely tokens as each kind of server lists them, over real sockets: by ids, by chats and as plain text."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from epf.core.errors import GeneratorError
from epf.core.generator import Generator, Message, Sampling, Step
from epf.engines.http.dialect import Dialect
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.chat.continuing import Continuation
from epf.generators.chat.generator import ChatGenerator
from epf.generators.chat.request import FIELDS, Style
from epf.generators.openai.discovery import ServedModel
from epf.generators.openai.generator import OpenAiGenerator
from tests.engines.http.server import Answer, Request, Upstreams, upstream
from tests.servers.quirks import Script, chunk, sse

T = TypeVar("T")
TOKENIZER = ChatTokenizer(STORIES.generator)
TEXT = "2 + 3 = 5."
IDS = TOKENIZER.encode(f"{TEXT}\n\n")
TOKENS = [TOKENIZER.token_bytes(id_).decode() for id_ in IDS]
OTHERS = TOKENIZER.encode("7")[0], TOKENIZER.encode("9")[0]
TOP = ((b"7", -0.25), (b"9", -2.0))
SAMPLED = -3.0


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)
    for module in ("epf.engines.http.sse", "epf.generators.openai.completions", "epf.generators.chat.reading"):
        monkeypatch.setattr(f"{module}.END_GRACE_S", 0.05)


def run(script: Script, test: Callable[[Generator, Upstreams], Awaitable[T]], style: Style | None = None) -> T:
    """By ids with a tokenizer, or with a ``style`` by text without one."""

    async def main() -> T:
        async with upstream(script) as server:
            pool = Upstream([server.url], GeneratorError, "the generator", timeout_s=10)
            generator: Generator
            if style is None:
                generator = OpenAiGenerator(pool, TOKENIZER, "tiny", 512)
            else:
                how = Continuation(style, strips=False, counts=False, log_probs=True)
                generator = ChatGenerator(pool, ServedModel("tiny", 512), how, Dialect("the generator", FIELDS))
            try:
                return await test(generator, server)
            finally:
                await generator.aclose()

    return asyncio.run(asyncio.wait_for(main(), 30))


async def step_of(generator: Generator, n_top: int = 2) -> Step:
    prefix = generator.prompt_ids([Message("user", "Ann has 2 apples and gets 3 more")])
    return await generator.step(prefix, Sampling(top_log_probs=n_top), 7)


def vllm(top: dict[str, Any] | None = None) -> bytes:
    """vLLM names tokens by ids, and lists the sampled token first, whatever its rank."""
    listed = {f"token_id:{OTHERS[0]}": -0.25, f"token_id:{OTHERS[1]}": -2.0} if top is None else top
    events = [
        chunk(
            token,
            token_ids=[id_],
            logprobs={
                "text_offset": [0],
                "tokens": [f"token_id:{id_}"],
                "token_logprobs": [SAMPLED],
                "top_logprobs": [{f"token_id:{id_}": SAMPLED} | listed],
            },
        )
        for id_, token in zip(IDS, TOKENS, strict=True)
    ]
    return sse(*events, chunk("", "stop", token_ids=[]))


def llama_cpp() -> bytes:
    """llama.cpp lists objects with ids in answer to its own field, also in completions."""

    def entry(id_: int, token: str, logprob: float) -> dict[str, Any]:
        return {"id": id_, "token": token, "bytes": list(token.encode()), "logprob": logprob}

    top = [entry(OTHERS[1], "9", -2.0), entry(OTHERS[0], "7", -0.25)]
    events = [
        chunk(token, logprobs={"content": [entry(id_, token, SAMPLED) | {"top_logprobs": top}]})
        for id_, token in zip(IDS, TOKENS, strict=True)
    ]
    return sse(*events, chunk("", "stop", logprobs=None))


def chat(top: Any) -> bytes:
    events = []
    for token in TOKENS:
        entry = {"token": token, "logprob": SAMPLED, "bytes": list(token.encode()), "top_logprobs": top}
        events.append({"choices": [{"index": 0, "delta": {"content": token}, "logprobs": {"content": [entry]}}]})
    return sse(*events, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def text() -> bytes:
    """A completion without ids: parallel lists, with the tokens as texts (TGI, Fireworks, LM Studio)."""
    events = [
        chunk(token, logprobs={"tokens": [token], "token_logprobs": [SAMPLED], "top_logprobs": [{"9": -2.0, "7": -0.25}]})
        for token in TOKENS
    ]
    return sse(*events, chunk("", "stop"))


LISTED = [{"token": "7", "logprob": -0.25, "bytes": [55]}, {"token": "9", "logprob": -2.0, "bytes": [57]}]


@pytest.mark.parametrize(
    ("answer", "style", "field", "sent"),
    [
        pytest.param(vllm(), None, "logprobs", 2, id="vLLM"),
        pytest.param(llama_cpp(), None, "logprobs", 2, id="llama.cpp"),
        pytest.param(chat(LISTED), "plain", "top_logprobs", 2, id="OpenAI"),
        pytest.param(
            chat([{"token": "7", "logprob": -0.25, "bytes": None}, LISTED[1]]), "flags", "top_logprobs", 2, id="SGLang"
        ),
        pytest.param(
            chat([{"id": OTHERS[0], **LISTED[0]}, {"id": OTHERS[1], **LISTED[1]}]),
            "plain",
            "top_logprobs",
            2,
            id="llama.cpp chat",
        ),
        pytest.param(llama_cpp(), "text", "logprobs", 2, id="llama.cpp by text"),
        pytest.param(text(), "text", "logprobs", 2, id="completions by text"),
    ],
)
def test_each_kind_lists_the_same_tokens(answer: bytes, style: Style | None, field: str, sent: int) -> None:
    async def test(generator: Generator, server: Upstreams) -> None:
        for _ in range(2):
            step = await step_of(generator)
            assert step.text == TEXT
            assert step.log_probs == (SAMPLED,) * len(IDS)
            assert step.top_log_probs == (TOP,) * len(IDS)
            assert server.requests[-1].body[field] == sent
        without = await step_of(generator, 0)
        assert (without.log_probs, without.top_log_probs) == (step.log_probs, ())
        assert server.requests[-1].body.get(field, 0) in (0, 1)

    run(lambda _: Answer(answer), test, style)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (None, ()),
        ([], ()),
        ([{"token": "a", "logprob": None}, LISTED[0]], (TOP[0],)),
        ([{"token": "\ufffd", "logprob": -0.5, "bytes": [240, 159]}], ((b"\xf0\x9f", -0.5),)),
        ([{"token": "a", "logprob": -9999.0}, LISTED[0]], (TOP[0], (b"a", -9999.0))),
        ("none", ()),
    ],
)
def test_what_is_not_listed_is_missing_and_nothing_else(top: Any, expected: Any) -> None:
    async def test(generator: Generator, _: Upstreams) -> None:
        step = await step_of(generator)
        assert step.log_probs == (SAMPLED,) * len(IDS)
        assert step.top_log_probs == ((expected,) * len(IDS) if expected else ())

    run(lambda _: Answer(chat(top)), test, "plain")


@pytest.mark.parametrize("value", [0.5, "high", True, float("nan")])
def test_a_value_that_is_no_log_probability_is_refused(value: Any) -> None:
    async def test(generator: Generator, _: Upstreams) -> None:
        with pytest.raises(GeneratorError, match="not numbers of at most 0"):
            await step_of(generator)

    run(lambda _: Answer(chat([{"token": "7", "logprob": value}])), test, "plain")


def limited(answer: bytes, field: str, limit: int, words: str) -> Script:
    """A server that lists at most ``limit`` tokens."""

    def respond(request: Request) -> Answer:
        refused = request.body.get(field, 0) > limit
        return Answer({"error": {"message": words, "type": "BadRequestError", "code": 400}}, 400) if refused else Answer(answer)

    return respond


@pytest.mark.parametrize(
    ("limit", "words", "sent"),
    [
        (5, "Requested sample logprobs of 20, which is greater than max allowed: 5", 5),
        (1, "`logprobs` must be at most 1", 1),
    ],
)
def test_a_server_that_lists_fewer_is_asked_for_fewer_and_keeps_its_log_probabilities(
    limit: int, words: str, sent: int
) -> None:
    async def test(generator: Generator, server: Upstreams) -> None:
        for n_top in (20, 20, 0):
            step = await step_of(generator, n_top)
            assert len(step.log_probs) == len(IDS)
        assert [request.body["logprobs"] for request in server.requests][-2:] == [sent, 0]

    run(limited(vllm(), "logprobs", limit, words), test)


@pytest.mark.parametrize("limit", [5, 0])
def test_a_chat_that_lists_fewer_keeps_its_log_probabilities(limit: int) -> None:
    async def test(generator: Generator, server: Upstreams) -> None:
        for n_top in (20, 20, 3):
            step = await step_of(generator, n_top)
            assert len(step.log_probs) == len(IDS)
        assert server.requests[-1].body["logprobs"] is True
        assert [request.body.get("top_logprobs", 0) for request in server.requests][-2:] == ([5, 3] if limit else [0, 0])

    words = f"Invalid value: top_logprobs must be between 0 and {limit}"
    run(limited(chat(LISTED), "top_logprobs", limit, words), test, "plain")


def test_requests_of_one_search_still_share_a_prompt() -> None:
    """Calls that ask for the same number of tokens are one request; others are not mixed with them."""

    async def test(generator: Generator, server: Upstreams) -> None:
        await step_of(generator)
        prefix = generator.prompt_ids([Message("user", "Ann has 2 apples and gets 3 more")])
        sampling = Sampling(top_log_probs=2)
        await asyncio.gather(*(generator.step(prefix, sampling, seed) for seed in (1, 2)), step_of(generator, 0))
        assert sorted((r.body.get("n", 1), r.body["logprobs"]) for r in server.requests[1:]) == [(1, 0), (2, 2)]

    def answer(request: Request) -> Answer:
        one = [json.loads(line.removeprefix("data: ")) for line in vllm().decode().split("\n\n") if line.startswith("data: {")]
        n = request.body.get("n", 1)
        return Answer(sse(*({"choices": [e["choices"][0] | {"index": i}]} for i in range(n) for e in one)))

    run(answer, test)


def test_a_chat_without_log_probabilities_is_asked_once_more_and_not_in_forms_that_change_nothing() -> None:
    """`logprobs` is true in a chat: a smaller number of tokens is no other form of it."""

    def answer(request: Request) -> Answer:
        words = "`logprobs` is not supported by this model"
        return Answer({"error": {"message": words}}, 400) if "logprobs" in request.body else Answer(chat(None))

    async def test(generator: Generator, server: Upstreams) -> None:
        await step_of(generator)
        assert ["logprobs" in request.body for request in server.requests] == [True, False]
        assert "top_logprobs" not in server.requests[-1].body

    run(answer, test, "plain")
