"""Whole searches with both models on the real vLLM in this process, and the service over them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest

from epf.core.generator import Generator, GeneratorWrapper, Sampling, Step
from epf.core.reward_model import RewardModelWrapper, Score
from epf.generators.vllm import VllmGenerator
from epf.reward_models.backend import FamilyRewardModel
from epf.search import SearchResult, asolve
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.search.test_run_ahead import outcome
from tests.service.serving import events_of, served, until
from tests.vllm.engines import GUARD_S, Engine

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

T = TypeVar("T")
PROBLEM = "There are 45 birds on a wire. 17 fly away. 4 come back. How many birds are there now?"
OPTIONS: dict[str, Any] = {"n_particles": 8, "seed": 5}


class Pair:
    """Both engines, lent to one test."""

    def __init__(self, generators: Engine[VllmGenerator], reward_models: Engine[FamilyRewardModel]) -> None:
        self.engines = (generators, reward_models)

    def run(self, test: Callable[[VllmGenerator, FamilyRewardModel], Awaitable[T]]) -> T:
        generators, reward_models = self.engines

        async def both(generator: VllmGenerator) -> T:
            reward_model = reward_models.open()
            try:
                return await test(generator, reward_model)
            finally:
                await reward_model.aclose()

        return generators.run(both)

    @property
    def n_open(self) -> list[int]:
        """Numbers of requests that each engine's front end has sent and not seen end."""
        return [engine.engine.output_processor.get_num_unfinished_requests() for engine in self.engines]


@pytest.fixture
def pair(generator_on_vllm: Engine[VllmGenerator], reward_model_on_vllm: Engine[FamilyRewardModel]) -> Pair:
    return Pair(generator_on_vllm, reward_model_on_vllm)


@asynccontextmanager
async def client_of(generator: VllmGenerator, reward_model: FamilyRewardModel) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service with both, on a real socket."""
    async with (
        served(create_app(generator, reward_model, Settings())) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S) as client,
    ):
        yield client


class Delayed(GeneratorWrapper):
    """A generator whose steps begin after a random time, drawn with a seed; ``n_ahead`` counts those that run ahead."""

    def __init__(self, inner: Generator, seed: int) -> None:
        super().__init__(inner)
        self.random = np.random.default_rng(seed)
        self.n_ahead = 0

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        self.n_ahead += sampling.on_tokens is not None
        await asyncio.sleep(0.05 * self.random.random())
        return await super().step(prefix_ids, sampling, seed)


class DelayedRewardModel(RewardModelWrapper):
    """A reward model whose scores begin after a random time."""

    random = np.random.default_rng(0)

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        await asyncio.sleep(0.05 * self.random.random())
        return await super().score(problem, steps)


@pytest.mark.parametrize("options", [{"method": "pf"}, {"method": "epf", "lookahead": "redraw"}])
def test_no_result_depends_on_running_ahead_or_on_time(pair: Pair, options: dict[str, Any]) -> None:
    async def test(generator: VllmGenerator, reward_model: FamilyRewardModel) -> None:
        async def search(run_ahead: bool, seed: int) -> tuple[SearchResult, int]:
            delayed = Delayed(generator, seed)
            models: Any = {"generator": delayed, "reward_model": DelayedRewardModel(reward_model)}
            result = await asolve(PROBLEM, **OPTIONS, **options, **models, run_ahead=run_ahead)
            return result, delayed.n_ahead

        waiting, none = await search(False, 0)
        assert none == 0
        for seed in range(3):
            ahead, n_ahead = await search(True, seed)
            assert outcome(ahead) == outcome(waiting)
            assert n_ahead > 0

    pair.run(test)


def test_a_problem_is_solved_over_http_streamed_or_not(pair: Pair) -> None:
    async def test(generator: VllmGenerator, reward_model: FamilyRewardModel) -> None:
        expected = await asolve(PROBLEM, generator=generator, reward_model=reward_model, **OPTIONS)
        async with client_of(generator, reward_model) as client:
            plain = (await client.post("/solve", json={"problem": PROBLEM, **OPTIONS})).json()
            stream = await client.post("/solve", json={"problem": PROBLEM, "stream": True, **OPTIONS})
        *events, last = events_of(stream.text)
        assert expected.answer == "32"
        assert (plain["answer"], last["result"]["answer"]) == ("32", "32")
        assert plain["solution"] == last["result"]["solution"] == expected.solution
        useful = expected.usage.generated_tokens - expected.usage.discarded_tokens
        assert plain["usage"]["generated_tokens"] - plain["usage"]["discarded_tokens"] == useful
        assert [event["type"] for event in events].count("step") == [event["type"] for event in events].count("scored")

    pair.run(test)


@pytest.mark.parametrize("model", ["epf-8", "generator"])
def test_a_chat_is_answered_with_the_log_probs_of_its_tokens(pair: Pair, model: str) -> None:
    async def test(generator: VllmGenerator, reward_model: FamilyRewardModel) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": PROBLEM}], "seed": 5, "logprobs": True}
        async with client_of(generator, reward_model) as client:
            (choice,) = (await client.post("/v1/chat/completions", json=body)).json()["choices"]
        content = choice["message"]["content"]
        assert "\\boxed{" in content
        tokens = choice["logprobs"]["content"]
        assert bytes(byte for token in tokens for byte in token["bytes"]).decode() == content
        assert all(token["logprob"] <= 1e-6 for token in tokens)

    pair.run(test)


@pytest.mark.parametrize("asked", [0, 1], ids=["while generating", "while scoring"])
def test_a_cancelled_search_leaves_no_request_in_either_engine(pair: Pair, asked: int) -> None:
    async def test(generator: VllmGenerator, reward_model: FamilyRewardModel) -> None:
        for _ in range(5):
            search = asyncio.create_task(
                asolve(PROBLEM, n_particles=16, temperature=2.0, generator=generator, reward_model=reward_model)
            )
            await until(lambda: pair.n_open[asked] > 0)
            search.cancel()
            with pytest.raises(asyncio.CancelledError):
                await search
            assert pair.n_open == [0, 0]
        await asolve(PROBLEM, n_particles=1, max_steps=1, generator=generator, reward_model=reward_model)
        assert [engine.counted.running for engine in pair.engines] == [0, 0]

    pair.run(test)
