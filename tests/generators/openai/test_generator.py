"""The generator behind a server, on real sockets: the contract by token ids and by text, and the requests it sends."""

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tokenizers import Tokenizer

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest
from epf.core.generator import Generator, Message, Sampling
from epf.engines.http.replicas import Upstream
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.openai.generator import OpenAiGenerator
from tests.contract.generator import GeneratorContract
from tests.generators.openai.completions_server import NAME, completions_app
from tests.service.serving import served
from tests.tiny_model import CONTEXT

T = TypeVar("T")
PROMPT = (Message("user", "How many birds?"),)


@asynccontextmanager
async def opened(directory: Path, **kind: Any) -> AsyncIterator[OpenAiGenerator]:
    """A generator behind a server of this kind."""
    async with served(completions_app(directory, **kind)) as (host, port):
        upstream = Upstream([f"http://{host}:{port}"], GeneratorError, "the generator")
        generator = OpenAiGenerator(upstream, ChatTokenizer(directory), NAME, CONTEXT)
        try:
            yield generator
        finally:
            await generator.aclose()


def run(directory: Path, test: Callable[[OpenAiGenerator], Awaitable[T]], **kind: Any) -> T:
    async def main() -> T:
        async with opened(directory, **kind) as generator:
            return await test(generator)

    return asyncio.run(asyncio.wait_for(main(), 60))


class TestContractByIds(GeneratorContract):
    kind = {"by_ids": True}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _use(self, directory: Path) -> None:
        self.directory = directory

    def run(self, test: Callable[[Generator], Awaitable[T]]) -> T:
        return run(self.directory, test, **self.kind)


class TestContractByText(TestContractByIds):
    kind = {"by_ids": False}  # noqa: RUF012

    def test_a_separator_only_changes_where_a_step_ends(self) -> None:
        """By text, a step has no rest: nothing is left of what its last token holds after the separator."""

        async def test(generator: Generator) -> None:
            prefix = generator.prompt_ids(self.prompt)
            (whole,) = await self.steps(generator, range(1), replace(self.sampling, separator=""))
            for separator in (whole.text[at : at + length] for at in range(8) for length in (1, 2, 3)):
                step = await generator.step(prefix, replace(self.sampling, separator=separator), 0)
                assert (step.text, step.finish, step.rest) == (whole.text.partition(separator)[0], "separator", "")

        self.run(test)


async def steps_of(generator: Generator) -> list[Any]:
    ids = generator.prompt_ids(PROMPT)
    return await asyncio.gather(*(generator.step(ids, Sampling(temperature=1.0, max_tokens=20), seed) for seed in range(30)))


def test_steps_by_ids_equal_those_of_the_served_generator(directory: Path) -> None:
    async def here() -> list[Any]:
        generator = EmbeddedGenerator(directory)
        steps = await steps_of(generator)
        await generator.aclose()
        return steps

    steps = asyncio.run(here())
    assert run(directory, steps_of, by_ids=True) == steps
    assert {step.finish for step in steps} == {"separator", "eos", "length"}


def test_requests_by_ids_carry_the_ids_and_switch_off_server_defaults(directory: Path) -> None:
    asked: list[Any] = []

    async def test(generator: OpenAiGenerator) -> None:
        prefix = generator.prompt_ids(PROMPT)
        await generator.step(prefix, Sampling(), 0)  # finds out that the server supports ids
        del asked[:]
        sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=7, separator="e", stop=("Question",))
        step = await generator.step(prefix, sampling, 2**53 - 1)
        await generator.step((*prefix, *step.token_ids), Sampling(separator=""), 1)
        assert asked[1]["prompt"] == [*prefix, *step.token_ids]

    run(directory, test, by_ids=True, asked=asked)
    expected = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "stop": ["e", "Question"], "seed": 2**53 - 1, "stream": True}
    expected |= {"top_k": -1, "min_p": 0, "repetition_penalty": 1, "return_token_ids": True, "logprobs": 0}
    assert asked[0] | expected == asked[0]
    assert "stop" not in asked[1]


def test_steps_of_one_prefix_share_a_request_and_do_not_change(directory: Path) -> None:
    asked: list[Any] = []
    sampling = Sampling(temperature=1.0, max_tokens=20)

    async def test(generator: OpenAiGenerator) -> None:
        ids = generator.prompt_ids(PROMPT)
        alone = [await generator.step(ids, sampling, seed) for seed in range(6)]
        del asked[:]
        together = await asyncio.gather(*(generator.step(ids, sampling, seed) for seed in range(6)))
        assert together == alone
        assert len({step.token_ids for step in alone}) > 1
        assert [(body["seed"], body["n"]) for body in asked] == [(0, 6)]

    run(directory, test, by_ids=True, asked=asked)


@pytest.mark.parametrize("refuses_ids", [False, True])
def test_a_server_without_ids_is_recognized_at_the_first_response_and_logged_once(
    directory: Path, refuses_ids: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """From then on, the server reads exactly the ids of the steps."""
    asked: list[Any] = []
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))

    async def test(generator: OpenAiGenerator) -> None:
        ids = generator.prompt_ids([Message("system", "Be \u201cbrief\u201d."), *PROMPT])
        for seed in range(4):
            step = await generator.step(ids, Sampling(temperature=1.0, max_tokens=9, separator=""), seed)
            assert step.log_probs == ()
            ids += step.token_ids
            asked.append(ids)

    run(directory, test, by_ids=False, refuses_ids=refuses_ids, asked=asked)
    tried, *rest = asked
    assert isinstance(tried["prompt"], list)
    prompts, read = rest[::2], rest[1:-1:2]
    assert [tuple(tokenizer.encode(body["prompt"]).ids) for body in prompts] == [tuple(tried["prompt"]), *read]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "birds" not in caplog.text


def test_a_special_token_typed_into_a_problem_stays_text(directory: Path) -> None:
    """By ids it is ordinary text; by text, the server would read it as a special token, so it is rejected."""
    spelling = [Message("user", "One<|im_end|>two")]

    async def by_ids(generator: OpenAiGenerator) -> None:
        assert (await generator.step(generator.prompt_ids(spelling), Sampling(), 0)).token_ids

    async def by_text(generator: OpenAiGenerator) -> None:
        with pytest.raises(InvalidRequest, match="read as a token") as caught:
            await generator.step(generator.prompt_ids(spelling), Sampling(), 0)
        assert caught.value.param == "problem"

    run(directory, by_ids, by_ids=True)
    run(directory, by_text, by_ids=False)


def test_a_context_limit_that_only_the_server_knows_is_reported(directory: Path) -> None:
    async def test(generator: OpenAiGenerator) -> None:
        generator._context_length = 10 * CONTEXT
        with pytest.raises(ContextTooLong):
            await generator.step(generator.prompt_ids([Message("user", "birds " * CONTEXT)]), Sampling(), 0)

    run(directory, test, by_ids=False)


def test_the_tokenizer_of_another_model_is_noticed(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    vocabulary = json.loads(file.read_text())
    tokens = vocabulary["model"]["vocab"]
    letters = [token for token in tokens if len(token) == 1 and token.isalnum()]
    tokens |= dict(zip(letters, (tokens[letter] for letter in reversed(letters)), strict=True))
    file.write_text(json.dumps(vocabulary))

    async def main() -> None:
        async with served(completions_app(directory, by_ids=True)) as (host, port):
            upstream = Upstream([f"http://{host}:{port}"], GeneratorError, "the generator")
            generator = OpenAiGenerator(upstream, ChatTokenizer(tmp_path / "other"), NAME, CONTEXT)
            with pytest.raises(GeneratorError, match="tokenizer does not belong to the served model"):
                await generator.step(generator.prompt_ids(PROMPT), Sampling(separator=""), 0)
            await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))
