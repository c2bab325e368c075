"""The generator behind the real ``vllm serve``, with the embedded generator's own weights in float32 on the CPU."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeVar

import httpx
import pytest

from epf.core.errors import ContextTooLong, GeneratorError
from epf.core.generator import Generator, Message, Sampling, Step
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.openai.discovery import ServedModel, find_model
from epf.generators.openai.generator import OpenAiGenerator
from epf.generators.openai.request import completion_request
from epf.generators.registry import GeneratorOptions
from epf.generators.vllm import VllmGenerator
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.contract.generator import GeneratorContract
from tests.service.serving import posted, served
from tests.vllm.engines import Engine
from tests.vllm.serve import FINISHED, RUNNING, WAITING, VllmServer

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

T = TypeVar("T")
TOKENIZER = ChatTokenizer(STORIES.generator)
PROBLEM = "There are 45 birds on a wire. 17 fly away. Then 3 more come. How many birds are on the wire?"
PROMPT = TOKENIZER.render([Message("user", PROBLEM)])
ORDINARY = sorted(set(range(TOKENIZER.size)) - TOKENIZER.special_ids)


@pytest.fixture
def server(servers: tuple[VllmServer, VllmServer]) -> VllmServer:
    return servers[0]


def opened(*servers: VllmServer, **options: Any) -> OpenAiGenerator:
    pool = Upstream([server.url for server in servers], GeneratorError, "the generator", **options)
    return OpenAiGenerator(pool, TOKENIZER, "served", 512)


def run(generator: Generator, test: Callable[[Any], Awaitable[T]]) -> T:
    """Run ``test`` on a generator within two minutes, and close it."""

    async def main() -> T:
        try:
            return await test(generator)
        finally:
            await generator.aclose()

    return asyncio.run(asyncio.wait_for(main(), 120))


class TestContract(GeneratorContract):
    sampling = Sampling(temperature=2.0, max_tokens=12)  # or it would always write the same first step

    @pytest.fixture(autouse=True)
    def _use(self, server: VllmServer) -> None:
        self.server = server

    def run(self, test: Callable[[Generator], Awaitable[T]]) -> T:
        return run(opened(self.server), test)


def test_the_server_lists_its_model(server: VllmServer) -> None:
    async def main() -> ServedModel:
        pool = Upstream([server.url], GeneratorError, "the generator")
        found = await find_model(pool, None)
        assert await find_model(pool, "served") == found
        await pool.aclose()
        return found

    found = asyncio.run(main())
    assert (found.name, found.context_length, found.server) == ("served", 512, "vllm")
    assert found.source is not None
    assert found.source.endswith("generator")


def odd_prefixes() -> list[tuple[int, ...]]:
    """Prompts followed by ids into which no tokenizer would split their text."""
    rng = random.Random(0)
    written = [tuple(rng.choices(ORDINARY, k=12)) for _ in range(30)]
    odd = [
        ids for ids in written if TOKENIZER.encode(b"".join(map(TOKENIZER.token_bytes, ids)).decode(errors="replace")) != ids
    ]
    assert len(odd) > 9
    return [PROMPT + ids for ids in odd]


def test_greedy_tokens_match_the_embedded_generator(server: VllmServer) -> None:
    solved = (*PROMPT, *TOKENIZER.encode("45 - 17 = 28.\n\n28 + 3 = 31.\n\n"))

    async def steps(generator: Generator) -> list[Step]:
        sampling = Sampling(temperature=0, max_tokens=24)
        return await asyncio.gather(*(generator.step(prefix, sampling, 0) for prefix in (solved, *odd_prefixes())))

    here, there = run(EmbeddedGenerator(STORIES.generator), steps), run(opened(server), steps)
    assert [(step.token_ids, step.text, step.finish) for step in there] == [(s.token_ids, s.text, s.finish) for s in here]
    assert {step.finish for step in there} >= {"separator", "eos"}
    for one, other in zip(here, there, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-3)


def test_the_engine_in_this_process_samples_the_same(server: VllmServer, generator_on_vllm: Engine[VllmGenerator]) -> None:
    async def steps(generator: Generator) -> list[Step]:
        sampling = Sampling(temperature=1.5, top_p=0.95, max_tokens=24)
        return await asyncio.gather(*(generator.step(PROMPT, sampling, 2**52 + seed) for seed in range(16)))

    here, there = generator_on_vllm.run(steps), run(opened(server), steps)
    assert len({step.token_ids for step in here}) > 1
    for one, other in zip(here, there, strict=True):
        assert replace(one, log_probs=()) == replace(other, log_probs=())
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-3)


def test_the_server_reads_the_ids_unchanged(server: VllmServer) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            for prefix in odd_prefixes():
                body = completion_request("served", prefix, Sampling(), 5, 0, "ids") | {"stream": False}
                (choice,) = (await client.post("/v1/completions", json=body)).json()["choices"]
                assert tuple(choice["prompt_token_ids"]) == prefix

    asyncio.run(asyncio.wait_for(main(), 60))


def test_log_probs_are_those_at_temperature_1(server: VllmServer) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(STORIES.generator, dtype=torch.float32)
    samplings = [
        Sampling(temperature=temperature, top_p=top_p, max_tokens=30) for temperature in (0.5, 1.5) for top_p in (0.9, 1.0)
    ]

    async def steps(generator: Generator) -> list[Step]:
        return await asyncio.gather(*(generator.step(PROMPT, each, seed) for each in samplings for seed in range(5)))

    for step in run(opened(server), steps):
        with torch.no_grad():
            logits = model(torch.tensor([PROMPT + step.token_ids])).logits[0, len(PROMPT) - 1 : -1]
        expected = logits.log_softmax(-1)[range(len(step.token_ids)), list(step.token_ids)]
        assert step.log_probs == pytest.approx(expected.tolist(), abs=1e-3)


def test_a_context_limit_that_only_the_server_knows_is_reported(server: VllmServer) -> None:
    async def test(generator: OpenAiGenerator) -> None:
        generator._context_length = 10_000
        with pytest.raises(ContextTooLong):
            await generator.step(PROMPT * 20, Sampling(), 0)

    run(opened(server), test)


def test_a_cancelled_step_and_a_closed_generator_leave_nothing_running(server: VllmServer) -> None:
    async def test(generator: OpenAiGenerator) -> None:
        for end in ("cancel", "close"):
            before = await server.count(FINISHED)
            endless = Sampling(temperature=2.0, max_tokens=450, separator="")
            calls = [asyncio.create_task(generator.step(PROMPT, endless, seed)) for seed in range(16)]
            await server.until(RUNNING, 1)
            if end == "cancel":
                for call in calls:
                    call.cancel()
            else:
                await generator.aclose()
            await asyncio.gather(*calls, return_exceptions=True)
            await server.until(RUNNING, 0)
            await server.until(WAITING, 0)
            assert await server.count(FINISHED) - before < 16

    run(opened(server), test)


def settings(server: VllmServer, **options: Any) -> Settings:
    """Settings with the generator behind ``server``."""
    # The embedded model reads the problem alone; no system prompt belongs in front of it.
    generator = GeneratorOptions(kind="openai", url=server.url, tokenizer=STORIES.generator, system_prompt="")
    return Settings(generator=generator, **options)


async def loaded(client: httpx.AsyncClient) -> None:
    """Wait until the service has loaded its models; the test's own limit ends it otherwise."""
    while (await client.get("/readyz")).status_code != 200:
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("judge", ["epf serve-prm", "vllm serve"])
def test_a_problem_is_solved_with_both_models_behind_http(servers: tuple[VllmServer, VllmServer], judge: str) -> None:
    there: dict[str, Any] = {"kind": "http", "url": servers[1].url}
    if judge == "vllm serve":
        there |= {"name": "served", "family": "embedded", "tokenizer": STORIES.reward_model}

    async def main() -> None:
        async with AsyncExitStack() as stack:
            if judge == "epf serve-prm":
                prm = await stack.enter_async_context(
                    served(create_scoring_app(EmbeddedRewardModel(STORIES.reward_model), Settings()))
                )
                there["url"] = "http://{}:{}".format(*prm)
            address = await stack.enter_async_context(served(create_app(settings=settings(servers[0], reward_model=there))))
            async with httpx.AsyncClient(base_url="http://{}:{}".format(*address), timeout=100) as client:
                await loaded(client)
                body = {"problem": PROBLEM, "n_particles": 8, "seed": 1}
                first, second = [(await client.post("/solve", json=body)).json() for _ in range(2)]
            assert first["answer"] == second["answer"] == "31"

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_client_that_disconnects_ends_its_search_on_the_servers(server: VllmServer) -> None:
    async def main() -> None:
        body = {"problem": PROBLEM, "n_particles": 16, "temperature": 2.0, "separator": "@", "max_tokens_per_step": 400}
        async with served(create_app(settings=settings(server))) as address:
            async with httpx.AsyncClient(base_url="http://{}:{}".format(*address), timeout=60) as client:
                await loaded(client)
            before = await server.count(FINISHED)
            async with posted(address, "/solve", body):
                await server.until(RUNNING, 1)
            await server.until(RUNNING, 0)
            await server.until(WAITING, 0)
            assert await server.count(FINISHED) - before < 16

    asyncio.run(asyncio.wait_for(main(), 120))
