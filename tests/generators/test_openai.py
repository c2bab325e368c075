"""The generator behind a server, on real sockets: the contract by token ids and by text, and what it asks the server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from embedded.tokenizer import ChatTokenizer
from errors import GeneratorError
from generators.embedded import EmbeddedGenerator
from generators.openai import OpenAiGenerator
from generators.protocol import Generator, Message, Sampling
from tests.contract.generator import GeneratorContract
from tests.generators.completions_server import NAME, completions_app
from tests.service.serving import served
from tests.tiny_model import CONTEXT, write_model
from upstream.pool import Upstream

T = TypeVar("T")
PROMPT = (Message("user", "How many birds?"),)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny-generator"
    write_model(path, "generator")
    return path


@asynccontextmanager
async def opened(directory: Path, **kind: Any) -> AsyncIterator[OpenAiGenerator]:
    """A generator behind a server of that kind."""
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

    def test_a_separator_changes_nothing_but_where_a_step_ends(self) -> None:
        """Of a text nothing is left over that its last token holds beyond the separator."""

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


def test_by_ids_it_is_what_the_server_s_generator_samples(directory: Path) -> None:
    async def here() -> list[Any]:
        generator = EmbeddedGenerator(directory)
        steps = await steps_of(generator)
        await generator.aclose()
        return steps

    steps = asyncio.run(here())
    assert run(directory, steps_of, by_ids=True) == steps
    assert {step.finish for step in steps} == {"separator", "eos", "length"}
