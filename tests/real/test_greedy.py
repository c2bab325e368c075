"""At temperature 0, cutting a solution into steps changes no token of what a real model writes."""

import asyncio

import pytest

from epf.core.generator import Generator
from epf.engines.known_markers import marker_in
from epf.generators.registry import GeneratorOptions, load_generator
from tests.real.greedy import differences
from tests.real.model import MODEL, Server
from tests.real.prompts import PROMPTS

pytest.importorskip("vllm", reason="needs vLLM: make test-real")


def differing(generator: Generator, server: Server, *, ids: bool) -> list[str]:
    """Differences on all prompts; a server that reads text is not asked about markers of turns, which are refused then."""
    prompts = [prompt for prompt in PROMPTS if ids or marker_in(prompt) is None]
    assert len(prompts) >= 39

    async def main() -> list[str]:
        try:
            return await differences(generator, server, prompts, ids=ids)
        finally:
            await generator.aclose()

    return asyncio.run(main())


def test_by_ids_every_token_is_the_servers_own(server: Server) -> None:
    generator = load_generator(GeneratorOptions(kind="openai", url=server.url, tokenizer=MODEL))
    assert differing(generator, server, ids=True) == []


def test_by_text_every_character_is_the_servers_own(llama_server: Server) -> None:
    """Without a tokenizer of ours, through the route for chats: each step continues the last message of the assistant."""
    assert differing(load_generator(GeneratorOptions(kind="openai", url=llama_server.url)), llama_server, ids=False) == []
