"""The generator by text, on real sockets: the contract, the ways in which servers continue, and what they are sent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest
from epf.core.generator import Generator, Message, Sampling, Step, abilities_of
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.chat.generator import ChatGenerator
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.prompting import PromptingGenerator
from epf.generators.servers import load_server
from tests.contract.generator import GeneratorContract
from tests.engines.http.server import Answer, Request, upstream
from tests.generators.chat.chat_server import Kind, chat_app
from tests.servers.quirks import sse
from tests.service.serving import served
from tests.tiny_model import CONTEXT

T = TypeVar("T")
PROMPT = (Message("user", "How many birds?"),)


def run(directory: Path, test: Callable[[ChatGenerator], Awaitable[T]], kind: Kind) -> T:
    async def main() -> T:
        async with served(chat_app(directory, kind)) as (host, port):
            generator = await asyncio.to_thread(load_server, [f"http://{host}:{port}/v1"])
            assert isinstance(generator, ChatGenerator)
            try:
                return await test(generator)
            finally:
                await generator.aclose()

    return asyncio.run(asyncio.wait_for(main(), 60))


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


class TestContractByText(GeneratorContract):
    @pytest.fixture(autouse=True)
    def _use(self, directory: Path) -> None:
        self.directory = directory

    def run(self, test: Callable[[Generator], Awaitable[T]]) -> T:
        return run(self.directory, test, Kind())

    def test_a_full_context_is_rejected(self) -> None:
        async def test(generator: Generator) -> None:
            with pytest.raises(ContextTooLong, match=str(CONTEXT)):
                await generator.step(generator.prompt_ids([Message("user", "x" * CONTEXT)]), self.sampling, 0)
            ids = generator.prompt_ids(self.prompt)
            step = await generator.step(ids, Sampling(temperature=1.0, max_tokens=10_000, separator=""), 3)
            with pytest.raises(ContextTooLong, match=str(CONTEXT)):
                await generator.step((*ids, *step.token_ids * CONTEXT), self.sampling, 0)

        self.run(test)


async def solution(generator: Generator, ids: tuple[int, ...], sampling: Sampling, n_steps: int = 6) -> list[Step]:
    """Steps after a prompt, each after all before it, until the end."""
    steps: list[Step] = []
    while len(steps) < n_steps and (not steps or steps[-1].finish != "eos"):
        steps.append(await generator.step(ids, sampling, 0))
        ids += steps[-1].token_ids
    return steps


def texts(steps: Sequence[Step]) -> str:
    return "".join(step.text + "N" * (step.finish == "separator") for step in steps)


async def served_text(directory: Path, sampling: Sampling, n_tokens: int) -> str:
    """Text of one sample of the served model."""
    generator = EmbeddedGenerator(directory)
    try:
        return (await generator.step(generator.prompt_ids(PROMPT), replace(sampling, max_tokens=n_tokens), 0)).text
    finally:
        await generator.aclose()


@pytest.mark.parametrize(
    "kind",
    [
        Kind(),
        Kind(style="flags"),
        Kind(style="prefix", repeats=True),
        Kind(usage="end"),
        Kind(usage="end", log_probs=False),
        Kind(log_probs=False),
    ],
    ids=str,
)
@pytest.mark.slow
def test_greedy_steps_are_one_completion_however_the_server_continues(directory: Path, kind: Kind) -> None:
    """The separator is a letter, which the model writes in any of its tokens."""
    sampling = Sampling(temperature=0, max_tokens=40, separator="N")

    async def test(generator: ChatGenerator) -> None:
        assert abilities_of(generator).continues
        steps = await solution(generator, generator.prompt_ids(PROMPT), sampling)
        assert len(steps) > 1
        written = texts(steps)
        whole = await served_text(directory, replace(sampling, separator=""), 120)
        assert whole.startswith(written) or written.startswith(whole)
        assert all(bool(step.log_probs) == kind.log_probs for step in steps if step.finish != "eos")

    run(directory, test, kind)


@pytest.mark.parametrize("usage", ["always", "end"])
def test_the_prompt_is_counted_by_the_server(directory: Path, usage: str) -> None:
    """A server that counts only at the end is asked once for each prompt."""
    kind = Kind(usage=usage)

    async def test(generator: ChatGenerator) -> None:
        n = len(ChatTokenizer(directory).render(PROMPT))
        del kind.asked[:]
        ids = generator.prompt_ids(PROMPT)
        sampling = Sampling(temperature=1.0, max_tokens=30, separator="e")
        steps = await asyncio.gather(*(generator.step(ids, sampling, seed) for seed in range(6)))
        assert {step.prompt_tokens for step in steps} == {n}
        assert len(kind.asked) <= 6 + (usage == "end")

    run(directory, test, kind)


def test_a_server_that_does_not_continue_writes_whole_solutions_only(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(generator: ChatGenerator) -> None:
        assert not abilities_of(generator).continues
        ids = generator.prompt_ids(PROMPT)
        step = await generator.step(ids, Sampling(temperature=0, max_tokens=8), 0)
        with pytest.raises(GeneratorError, match=r"does not continue the assistant's last message.*self_consistency") as caught:
            await generator.step((*ids, *step.token_ids), Sampling(), 0)
        assert not caught.value.retryable

    run(directory, test, Kind(style=""))
    assert caplog.text.count("does not continue the assistant's last message") == 1


def test_a_server_without_chats_gets_plain_text(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    kind = Kind(style="text")

    async def test(generator: ChatGenerator) -> None:
        del kind.asked[:]
        ids = generator.prompt_ids(PROMPT)
        step = await generator.step(ids, Sampling(temperature=0, max_tokens=8), 0)
        await generator.step((*ids, *step.token_ids), Sampling(), 0)
        spelled = b"".join(map(generator.token_bytes, step.token_ids)).decode()
        assert [body["prompt"] for body in kind.asked] == ["How many birds?\n\n", f"How many birds?\n\n{spelled}"]

    run(directory, test, kind)
    assert caplog.text.count("the conversation is sent as plain text") == 1


def test_what_is_not_possible_by_text_is_logged_once(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(generator: ChatGenerator) -> None:
        await generator.step(generator.prompt_ids(PROMPT), Sampling(), 0)

    with caplog.at_level(logging.WARNING):
        run(directory, test, Kind(usage="", log_probs=False))
    for words in ("there are no token ids", "no log probabilities", "counts no tokens"):
        assert caplog.text.count(words) == 1


@pytest.mark.parametrize("system", ["ignores", "refuses"])
def test_a_template_without_system_messages_is_found_at_start(directory: Path, system: str) -> None:
    """The wrapper that adds a system prompt then puts it at the head of the problem."""
    kind = Kind(system=system)

    async def test(generator: ChatGenerator) -> None:
        with pytest.raises(InvalidRequest, match="reads no system message"):
            generator.prompt_ids([Message("system", "Be brief."), *PROMPT])
        prompting = PromptingGenerator(generator, "Be brief.")
        await prompting.step(prompting.prompt_ids(PROMPT), Sampling(max_tokens=4), 0)
        assert [turn["content"] for turn in kind.asked[-1]["messages"]] == ["Be brief.\n\nHow many birds?"]

    run(directory, test, kind)


def test_a_chat_server_whose_tokenizer_is_known_is_asked_by_text(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served(chat_app(directory, Kind())) as (host, port):
            generator = await asyncio.to_thread(load_server, [f"http://{host}:{port}"], tokenizer=directory)
            assert isinstance(generator, ChatGenerator)
            await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))
    assert caplog.text.count("offers no /v1/completions") == 1


@pytest.mark.parametrize("ids", [(), (5,), (-1,), (2**200,)])
def test_ids_that_are_not_its_own_are_rejected(directory: Path, ids: tuple[int, ...]) -> None:
    async def test(generator: ChatGenerator) -> None:
        with pytest.raises(InvalidRequest, match="prefix_ids"):
            await generator.step(ids, Sampling(), 0)

    run(directory, test, Kind())


def scripted(
    answer: Callable[[dict[str, Any]], list[Any]], test: Callable[[ChatGenerator, list[Any]], Awaitable[None]]
) -> None:
    """Test a generator whose server sends the pieces that ``answer`` returns for a body. It counts the words of a prompt."""

    def respond(request: Request) -> Answer:
        if request.path == "/v1/models":
            return Answer({"data": [{"id": "tiny"}]})
        if request.path != "/v1/chat/completions":
            return Answer({}, 404)
        words = sum(len(turn["content"].replace("\n\n", " \n\n").split(" ")) for turn in request.body["messages"])
        events = [{"choices": [{"delta": {"content": piece}}]} for piece in answer(request.body)]
        return Answer(sse(*events, {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": words}}))

    async def main() -> None:
        async with upstream(respond) as server:
            generator = await asyncio.to_thread(load_server, [server.url])
            assert isinstance(generator, ChatGenerator)
            del server.requests[:]
            try:
                await test(generator, server.requests)
            finally:
                await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 30))


def last(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


@pytest.mark.parametrize(("pieces", "sent"), [(["A.", "\n", "\n", "B"], "A."), (["A.\n\n", "B"], "A.\n\n")])
def test_a_separator_of_several_tokens_is_left_off_and_expected(pieces: list[str], sent: str) -> None:
    """Otherwise the server would read it as one token, which the model did not write."""
    tail = ["\n", "\n", "So B.", "\n\n"] if sent == "A." else ["So B.", "\n\n"]

    async def test(generator: ChatGenerator, requests: list[Any]) -> None:
        ids = generator.prompt_ids(PROMPT)
        first = await generator.step(ids, Sampling(), 0)
        assert (first.text, first.finish) == ("A.", "separator")
        second = await generator.step((*ids, *first.token_ids), Sampling(), 0)
        assert (second.text, second.finish, second.rest) == ("So B.", "separator", "")
        assert last(requests[-1].body) == sent

    scripted(lambda body: tail if body["messages"][-1]["role"] == "assistant" else pieces, test)


def test_the_whole_text_is_sent_if_the_server_continues_otherwise() -> None:
    def answer(body: dict[str, Any]) -> list[str]:
        if body["messages"][-1]["role"] == "user":
            return ["A.", "\n", "\n", "B"]
        return ["So B.", "\n\n"] if last(body).endswith("\n\n") else [" And", " more"]

    async def test(generator: ChatGenerator, requests: list[Any]) -> None:
        ids = generator.prompt_ids(PROMPT)
        first = await generator.step(ids, Sampling(), 0)
        second = await generator.step((*ids, *first.token_ids), Sampling(), 0)
        assert second.text == "So B."
        assert [last(request.body) for request in requests if request.body["messages"][-1]["role"] == "assistant"] == [
            "A.",
            "A.\n\n",
        ]

    scripted(answer, test)


def test_blank_space_that_a_template_strips_is_expected_again(directory: Path) -> None:
    """Many chat templates strip the end of a message of the assistant."""
    kind = Kind(strips=True)
    sampling = Sampling(temperature=0, max_tokens=3, separator="")

    async def test(generator: ChatGenerator) -> None:
        steps = await solution(generator, generator.prompt_ids(PROMPT), sampling, 20)
        written = "".join(step.text for step in steps)
        whole = await served_text(directory, sampling, 60)
        assert whole.startswith(written) or written.startswith(whole)

    run(directory, test, kind)
