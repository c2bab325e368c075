"""Every quirk of the table in docs/servers.md on the chat route, over real sockets: a step, or the server's words."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Message, Sampling
from epf.engines.http.dialect import Dialect
from epf.engines.http.replicas import Upstream
from epf.generators.chat.continuing import Continuation
from epf.generators.chat.generator import ChatGenerator
from epf.generators.chat.ids import spelled
from epf.generators.chat.request import FIELDS as CHAT_FIELDS
from epf.generators.openai.discovery import ServedModel
from tests.engines.http.server import Answer, Upstreams, upstream
from tests.servers.chat_quirks import CHATS, as_chat, delta
from tests.servers.quirks import COMPLETIONS, CONTEXTS, IDS, REFUSALS, STOPS, TEXT, Quirk, Script, sends, sse

PROBLEM = "Ann has 2 apples and gets 3 more"
KEY = "a-secret-key"


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)
    monkeypatch.setattr("epf.engines.http.sse.END_GRACE_S", 0.05)
    monkeypatch.setattr("epf.generators.chat.reading.END_GRACE_S", 0.05)


def run(script: Script, test: Callable[[ChatGenerator, Upstreams], Awaitable[None]]) -> None:
    async def main() -> None:
        async with upstream(script) as server:
            pool = Upstream([server.url], GeneratorError, "the generator", api_key=KEY, timeout_s=10)
            how = Continuation("plain", strips=False, counts=False)
            generator = ChatGenerator(pool, ServedModel("tiny", 512), how, Dialect("the generator", CHAT_FIELDS))
            try:
                await test(generator, server)
            finally:
                await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 30))


def prefix(generator: ChatGenerator) -> tuple[int, ...]:
    return generator.prompt_ids([Message("user", PROBLEM)])


def cases(failing: bool) -> list[Any]:
    scripts = [
        (quirk, name, script if quirk is CHATS else as_chat(script))
        for quirk in (*COMPLETIONS, CHATS)
        if quirk is not IDS and bool(quirk.error) == failing
        for name, script in quirk.scripts.items()
    ]
    return [
        pytest.param(quirk, script, quirk.texts.get(name, quirk.text), id=f"{quirk.name} {name}")
        for quirk, name, script in scripts
    ]


@pytest.mark.parametrize(("quirk", "script", "text"), cases(failing=False))
def test_a_quirk_of_chats_ends_in_a_step_and_is_remembered(
    quirk: Quirk, script: Script, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        step = await generator.step(prefix(generator), Sampling(), 2**53 - 1)
        assert (step.text, step.finish in ("separator", "eos")) == (text, True)
        written = step.text + "\n\n" * (step.finish == "separator") + step.rest
        assert spelled(step.token_ids).decode() == written
        assert {request.path for request in server.requests} == {"/v1/chat/completions"}
        first = len(server.requests)
        assert await generator.step(prefix(generator), Sampling(), 2**53 - 1) == step
        assert len(server.requests) == first + 1

    run(script, test)
    assert quirk.logged in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("epf")]
    assert len(ours) == len(set(ours)), "each loss is logged once"


@pytest.mark.parametrize(("quirk", "script", "_text"), cases(failing=True))
def test_a_refusal_of_a_chat_ends_in_an_error_that_repeats_the_server(
    quirk: Quirk, script: Script, _text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        with pytest.raises(SearchServiceError, match=quirk.error) as caught:
            await generator.step(prefix(generator), Sampling(), 0)
        assert isinstance(caught.value, ContextTooLong if quirk is CONTEXTS else GeneratorError)
        assert not caught.value.retryable
        bodies = [json.dumps(request.body) for request in server.requests]
        assert len(bodies) == len(set(bodies)), "nothing is sent twice"
        if quirk is REFUSALS:
            assert server.url in str(caught.value)

    run(script, test)
    assert quirk.logged in caplog.text


@pytest.mark.parametrize("script", STOPS.scripts.values(), ids=list(STOPS.scripts))
def test_a_stop_of_a_chat_at_the_separator_is_the_end_of_a_step(script: Script) -> None:
    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        step = await generator.step(prefix(generator), Sampling(), 0)
        assert (step.text, step.finish) == (TEXT, "separator")

    run(as_chat(script), test)


@pytest.mark.parametrize(
    ("text", "finish", "shown"),
    [
        ("2 = 2.</s>", "stop", "2 = 2."),
        ("2 = 2.</s> [INST] So?", "length", "2 = 2."),
        ("The tag </s> ends <s>.", "stop", "The tag </s> ends <s>."),
        ("Write [INST] before it.", "stop", "Write [INST] before it."),
        ("2 = 2.<|eot_id|><|start_header_id|>user", "length", "2 = 2."),
        ("2 = 2.<｜end▁of▁sentence｜>", "stop", "2 = 2."),
    ],
)
def test_a_special_token_ends_the_turn_where_it_can_be_nothing_else(text: str, finish: str, shown: str) -> None:
    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        step = await generator.step(prefix(generator), Sampling(), 0)
        assert (step.text, step.finish) == (shown, "eos")

    run(sends(sse(delta(text[:7]), delta(text[7:], finish))), test)


def test_half_a_character_in_a_message_is_refused() -> None:
    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        with pytest.raises(InvalidRequest, match="half a character"):
            generator.prompt_ids([Message("user", "2 \ud83d")])

    run(lambda _: Answer({}), test)


def test_thoughts_apart_from_the_text_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        for seed in range(2):
            await generator.step(prefix(generator), Sampling(), seed)

    run(CHATS.scripts["thoughts"], test)
    assert caplog.text.count("thoughts apart from its text") == 1


def test_the_servers_counts_are_the_numbers_of_tokens() -> None:
    """A piece may be several tokens, as with a character of several, or a part of one."""

    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        for n in (7, 2, 1):
            usage = {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": n}}
            server.answer = sends(sse(delta("2"), delta(" = "), delta("\U0001f600", "stop"), usage))
            step = await generator.step(prefix(generator), Sampling(), 0)
            assert (step.text, step.finish, len(step.token_ids)) == ("2 = \U0001f600", "eos", n)
            assert step.prompt_tokens == 30

    run(lambda _: Answer({}), test)


@pytest.mark.parametrize(("counted", "n_ids", "n_log_probs"), [(2, 2, 2), (3, 3, 2), (4, 4, 0)])
def test_a_token_that_is_not_shown_is_counted_and_leaves_a_step_without_log_probabilities(
    counted: int, n_ids: int, n_log_probs: int
) -> None:
    """llama.cpp sends a character of several tokens with the log probability of its last one."""

    def event(text: str) -> dict[str, Any]:
        (choice,) = delta(text)["choices"]
        return {
            "choices": [choice | {"logprobs": {"content": [{"token": text, "logprob": -0.5, "bytes": list(text.encode())}]}}]
        }

    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        step = await generator.step(prefix(generator), Sampling(), 0)
        assert (len(step.token_ids), len(step.log_probs), step.text) == (n_ids, n_log_probs, "2\U0001f600")

    usage = {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": counted}}
    run(sends(sse(event("2"), event("\U0001f600"), delta("", "stop"), usage)), test)


def test_a_rejected_key_of_a_chat_names_its_setting_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    words = f"Incorrect API key provided: {KEY}. Prompt: {PROBLEM}"

    async def test(generator: ChatGenerator, server: Upstreams) -> None:
        with pytest.raises(GeneratorError, match=r"Incorrect API key .*Check the key in generator\.api_key") as caught:
            await generator.step(prefix(generator), Sampling(), 0)
        for text in (str(caught.value), caplog.text):
            assert "secret" not in text
            assert "apples" not in text

    run(sends({"error": {"message": words}}, status=401), test)
