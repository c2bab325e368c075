"""Every quirk of the table in docs/servers.md, over real sockets: it ends in a step, or in an error with the server's words."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from epf.core.errors import ContextTooLong, GeneratorError, SearchServiceError
from epf.core.generator import Message, Sampling
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.generator import OpenAiGenerator
from tests.engines.http.server import Answer, Request, Upstreams, upstream
from tests.servers.quirks import COMPLETIONS, CONTEXTS, FIELDS, IDS, REFUSALS, STOPS, TEXT, Quirk, Script, chunk, sends, sse

T = TypeVar("T")
TOKENIZER = ChatTokenizer(STORIES.generator)
PROBLEM = "Ann has 2 apples and gets 3 more"
PREFIX = TOKENIZER.render([Message("user", PROBLEM)])
KEY = "a-secret-key"


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)
    monkeypatch.setattr("epf.engines.http.sse.END_GRACE_S", 0.05)
    monkeypatch.setattr("epf.generators.openai.completions.END_GRACE_S", 0.05)


def run(script: Script, test: Callable[[OpenAiGenerator, Upstreams], Awaitable[T]]) -> T:
    async def main() -> T:
        async with upstream(script) as server:
            pool = Upstream([server.url], GeneratorError, "the generator", api_key=KEY, timeout_s=10)
            generator = OpenAiGenerator(pool, TOKENIZER, "tiny", 512)
            try:
                return await test(generator, server)
            finally:
                await generator.aclose()

    return asyncio.run(asyncio.wait_for(main(), 30))


def named(*quirks: Quirk) -> list[Any]:
    """A case for each script."""
    return [
        pytest.param(quirk, script, quirk.texts.get(name, quirk.text), id=f"{quirk.name} {name}")
        for quirk in quirks
        for name, script in quirk.scripts.items()
    ]


@pytest.mark.parametrize(("quirk", "script", "text"), named(*(quirk for quirk in COMPLETIONS if not quirk.error)))
def test_a_quirk_ends_in_a_step_and_is_remembered(
    quirk: Quirk, script: Script, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        step = await generator.step(PREFIX, Sampling(), 2**53 - 1)
        assert step.text == text
        assert step.finish in ("separator", "eos")
        first = len(server.requests)
        assert await generator.step(PREFIX, Sampling(), 2**53 - 1) == step
        assert len(server.requests) == first + 1

    run(script, test)
    assert quirk.logged in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("epf")]
    assert len(ours) == len(set(ours)), "each loss is logged once"


@pytest.mark.parametrize(("quirk", "script", "_text"), named(CONTEXTS, REFUSALS))
def test_a_refusal_ends_in_an_error_that_repeats_the_server(
    quirk: Quirk, script: Script, _text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        with pytest.raises(SearchServiceError, match=quirk.error) as caught:
            await generator.step(PREFIX, Sampling(), 0)
        assert isinstance(caught.value, ContextTooLong if quirk is CONTEXTS else GeneratorError)
        assert not caught.value.retryable
        bodies = [json.dumps(request.body) for request in server.requests]
        assert len(bodies) == len(set(bodies)), "nothing is sent twice"
        if quirk is REFUSALS:
            assert server.url in str(caught.value)

    run(script, test)
    assert quirk.logged in caplog.text


def test_what_is_dropped_is_logged_with_what_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        await generator.step(PREFIX, Sampling(), 0)
        assert {"temperature", "top_p", "seed"} <= server.requests[-1].body.keys()

    run(FIELDS.scripts["all unknown fields at once"], test)
    assert caplog.text.count("does not accept the field top_k: the server's own default applies") == 1


@pytest.mark.parametrize("field", ["temperature", "top_p"])
def test_what_the_caller_chose_is_never_dropped(field: str) -> None:
    words = {"error": {"message": f"Unsupported value: '{field}' does not support 0.5 with this model.", "param": field}}

    def answer(request: Request) -> Answer:
        return Answer(words, 400) if request.body.get(field) == 0.5 else Answer(sse(chunk(TEXT, "stop")))

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        with pytest.raises(SearchServiceError, match="does not support") as caught:
            await generator.step(PREFIX, Sampling(temperature=0.5, top_p=0.5), 0)
        assert (caught.value.status, caught.value.param) == (400, field)

    run(answer, test)


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_names_its_setting_and_no_secret(status: int, caplog: pytest.LogCaptureFixture) -> None:
    words = f"Incorrect API key provided: {KEY}. Prompt: {PROBLEM}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]"

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        with pytest.raises(GeneratorError, match=r"Incorrect API key .*Check the key in generator\.api_key") as caught:
            await generator.step(PREFIX, Sampling(), 0)
        assert len(server.requests) == 1
        for text in (str(caught.value), caplog.text):
            assert "secret" not in text
            assert "apples" not in text
            assert "7, 8" not in text

    run(sends({"error": {"message": words}}, status=status), test)


@pytest.mark.parametrize("script", IDS.scripts.values(), ids=list(IDS.scripts))
def test_a_prompt_is_sent_by_ids_once_and_then_as_text(script: Script) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        for seed in range(3):
            await generator.step(PREFIX, Sampling(), seed)
        kinds = [isinstance(request.body["prompt"], str) for request in server.requests]
        assert kinds[-3:] == [True] * 3
        assert kinds == sorted(kinds), "no ids after the first text"

    run(script, test)


@pytest.mark.parametrize("script", STOPS.scripts.values(), ids=list(STOPS.scripts))
def test_a_stop_at_the_separator_is_the_end_of_a_step(script: Script) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        step = await generator.step(PREFIX, Sampling(), 0)
        assert (step.text, step.finish) == (TEXT, "separator")
        assert step.token_ids == TOKENIZER.encode(f"{TEXT}\n\n")

    run(script, test)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [(r, "eos") for r in ("stop", "STOP", "eos", "eos_token", "stop_sequence", "end_turn")]
    + [(r, "length") for r in ("length", "max_tokens", "model_length", "MAX_TOKENS")],
)
def test_a_finish_reason_in_the_words_of_any_server(reason: str, finish: str) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        step = await generator.step(PREFIX, Sampling(), 0)
        assert (step.text, step.finish) == (TEXT, finish)

    run(sends(sse(chunk(TEXT, reason))), test)


@pytest.mark.parametrize("stop", ["\n", " ", "\n \n"])
def test_a_stop_at_blank_space_is_not_the_end_of_the_turn(stop: str) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        step = await generator.step(PREFIX, Sampling(), 0)
        assert (step.text, step.finish) == (TEXT + stop, "length")

    run(sends(sse(chunk(TEXT, "stop", stop_reason=stop))), test)


def test_a_special_token_spelled_over_two_steps_ends_the_turn() -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        step = await generator.step(PREFIX, Sampling(), 0)
        assert (step.text, step.finish) == (f"{TEXT}<|im_", "length")
        step = await generator.step((*PREFIX, *step.token_ids, *TOKENIZER.encode("end|>")), Sampling(), 0)
        assert (step.text, step.finish) == ("", "eos")

    run(sends(sse(chunk(f"{TEXT}<|im_", "length"))), test)


@pytest.mark.parametrize("ids", ["2\n", "2"])
def test_a_stop_that_the_ids_spell_is_not_put_back_twice(ids: str) -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        step = await generator.step(PREFIX, Sampling(separator="", stop=("\n",)), 0)
        assert step.text == "2\n"
        assert b"".join(map(TOKENIZER.token_bytes, step.token_ids)) == b"2\n"

    run(sends(sse(chunk(ids, "stop", token_ids=list(TOKENIZER.encode(ids)), stop_reason="\n"))), test)


def by_log_probs(*tokens: tuple[int, str, float], finish: str | None = None) -> bytes:
    """A stream as llama.cpp sends it."""
    events = [
        chunk(text, logprobs={"content": [{"id": id_, "token": text, "logprob": log_prob}]}) for id_, text, log_prob in tokens
    ]
    return sse(*events, chunk("", finish, logprobs=None))


def test_ids_are_read_from_log_probabilities_if_the_server_names_them_there_only() -> None:
    ids = TOKENIZER.encode(f"{TEXT}\n\n")
    tokens = [(id_, TOKENIZER.token_bytes(id_).decode(), -0.5) for id_ in ids]

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        for _ in range(2):
            step = await generator.step(PREFIX, Sampling(), 0)
            assert (step.token_ids, step.text, step.finish) == (ids, TEXT, "separator")
            assert step.log_probs == (-0.5,) * len(ids)
        assert [request.body["prompt"] for request in server.requests] == [list(PREFIX)] * 2

    run(sends(by_log_probs(*tokens, (ids[0], "2", -0.5), finish="length")), test)


def test_ids_that_do_not_spell_the_text_are_not_used() -> None:
    """llama.cpp leaves out the tokens that only begin a character."""
    ids = TOKENIZER.encode("2")

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        await generator.step(PREFIX, Sampling(), 0)
        server.answer = sends(by_log_probs((ids[0], "2", -0.5), (ids[0], " + 3", -0.5), finish="stop"))
        step = await generator.step(PREFIX, Sampling(), 0)
        assert (step.text, step.finish, step.log_probs) == ("2 + 3", "eos", ())

    run(sends(by_log_probs((ids[0], "2", -0.5), finish="stop")), test)


def test_greedy_particles_share_one_sample() -> None:
    """vLLM refuses n > 1 at temperature 0, and anywhere else the samples would be the same."""

    def answer(request: Request) -> Answer:
        if request.body.get("n", 1) > 1:
            return Answer({"error": {"message": "n must be 1 when using greedy sampling, got 4."}}, 400)
        ids = [*TOKENIZER.encode(TEXT), min(TOKENIZER.eos_ids)]
        return Answer(sse(chunk(TEXT, "stop", token_ids=ids, logprobs={"token_logprobs": [-0.1] * len(ids)})))

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        for sent in (1, 2):
            steps = await asyncio.gather(*(generator.step(PREFIX, Sampling(temperature=0), seed) for seed in (5, 6, 7, 99)))
            assert {step.text for step in steps} == {TEXT}
            assert len(server.requests) == sent

    run(answer, test)


def test_a_server_that_refuses_several_samples_is_asked_for_one_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Answer:
        if request.body.get("n", 1) > 1:
            return Answer({"error": {"message": "Only one completion choice is allowed: `n` must be 1"}}, 400)
        ids = [*TOKENIZER.encode(str(request.body["seed"])), min(TOKENIZER.eos_ids)]
        return Answer(sse(chunk(str(request.body["seed"]), "stop", token_ids=ids)))

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        for _ in range(2):
            steps = await asyncio.gather(*(generator.step(PREFIX, Sampling(), seed) for seed in range(4)))
            assert [step.text for step in steps] == ["0", "1", "2", "3"]
        assert [request.body.get("n", 1) for request in server.requests].count(1) == 8
        assert len(server.requests) == 9

    run(answer, test)
    assert caplog.text.count("does not accept the field n") == 1


@pytest.mark.parametrize(
    ("continuation", "n_requests"),
    [("\n\n3 + 4 = 7.\n\nSo", 1), (" So 5.\n\n", 2), ("\nSo 5.\n\n", 2), ("", 2)],
)
def test_a_text_is_continued_without_its_separator_where_the_server_writes_it(continuation: str, n_requests: int) -> None:
    """Many vocabularies have a token for a blank line that the model itself does not use."""
    prefix = (*PREFIX, *TOKENIZER.encode(f"{TEXT}\n\n"))

    def answer(request: Request) -> Answer:
        whole = request.body["prompt"].endswith("\n\n") if isinstance(request.body["prompt"], str) else True
        pieces = "3 + 4 = 7.\n\n" if whole else continuation
        return Answer(sse(*map(chunk, pieces), chunk("", "stop")))

    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        await generator.step(PREFIX, Sampling(), 0)
        del server.requests[:]
        step = await generator.step(prefix, Sampling(), 0)
        assert (step.text, step.finish) == ("3 + 4 = 7.", "separator")
        assert step.token_ids == TOKENIZER.encode("3 + 4 = 7.\n\n")
        prompts = [request.body["prompt"] for request in server.requests]
        assert prompts[0].endswith(TEXT)
        assert len(prompts) == n_requests
        assert prompts[1:] == [f"{prompts[0]}\n\n"] * (n_requests - 1)

    run(answer, test)


def test_text_is_left_at_a_stop_of_the_caller() -> None:
    async def test(generator: OpenAiGenerator, server: Upstreams) -> None:
        await generator.step(PREFIX, Sampling(), 0)
        server.answer = sends(sse(chunk("2 + 3"), chunk(" = 5. END so"), chunk(" on"), done=False), drip=b": ping\n\n")
        step = await generator.step(PREFIX, Sampling(separator="", stop=("END",)), 0)
        assert step.text == "2 + 3 = 5. END so"

    run(sends(sse(chunk(TEXT, "stop"))), test)
