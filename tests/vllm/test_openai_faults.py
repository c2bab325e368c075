"""Two real ``vllm serve``: one is paused, killed and restarted while searches run, and each search still gets its answer."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import TypeVar

import pytest

from epf.core.errors import GeneratorError
from epf.core.generator import Message, Sampling
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.generator import OpenAiGenerator
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import asolve
from epf.search.options import SearchOptions
from tests.service.serving import until
from tests.vllm.serve import FINISHED, RUNNING, WAITING, VllmServer, vllm_servers

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

T = TypeVar("T")
TOKENIZER = ChatTokenizer(STORIES.generator)
PROBLEMS = [problem.text for problem in islice(problems(7, "test", 8, 8), 6)]
PATIENCE_S = 10.0
"""A server that is well but on a busy machine must not seem silent."""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[VllmServer, VllmServer]]:
    both = VllmServer(STORIES.generator), VllmServer(STORIES.generator)
    with vllm_servers(*both):
        yield both


@pytest.fixture(autouse=True)
def _probe_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.health.EJECTION_S", 0.05)


async def answers(generator: OpenAiGenerator, reward_model: EmbeddedRewardModel) -> list[str | None]:
    """Answers to all problems, searched concurrently."""
    options = SearchOptions(n_particles=8, max_steps=14, seed=1, temperature=1.0)
    searches = (
        asolve(problem, method="epf", options=options, generator=generator, reward_model=reward_model) for problem in PROBLEMS
    )
    return [result.answer for result in await asyncio.gather(*searches)]


def run(test: Callable[[OpenAiGenerator, EmbeddedRewardModel], Awaitable[T]], *servers: VllmServer) -> T:
    async def main() -> T:
        pool = Upstream([server.url for server in servers], GeneratorError, "the generator", timeout_s=PATIENCE_S)
        generator, reward_model = OpenAiGenerator(pool, TOKENIZER, "served", 512), EmbeddedRewardModel(STORIES.reward_model)
        try:
            return await test(generator, reward_model)
        finally:
            await generator.aclose()
            await reward_model.aclose()

    return asyncio.run(asyncio.wait_for(main(), 400))


async def drawn_at(server: VllmServer, generator: OpenAiGenerator) -> float:
    """Number of steps that ``server`` samples when each problem asks for one."""
    before = await server.count(FINISHED)
    for problem in PROBLEMS:
        await generator.step(generator.prompt_ids([Message("user", problem)]), Sampling(), 0)
    return await server.count(FINISHED) - before


@pytest.mark.parametrize("fault", ["paused", "killed"])
def test_searches_continue_on_another_replica_until_the_first_returns(
    servers: tuple[VllmServer, VllmServer], fault: str
) -> None:
    """The answers stay the same, since a step is sampled again from its own seed."""
    victim, other = servers

    async def test(generator: OpenAiGenerator, reward_model: EmbeddedRewardModel) -> None:
        expected = await answers(generator, reward_model)
        assert None not in expected
        at_home = await drawn_at(victim, generator)
        assert 0 < at_home < len(PROBLEMS)

        searches = asyncio.create_task(answers(generator, reward_model))
        await victim.until(RUNNING, 1)
        if fault == "paused":
            victim.signal(signal.SIGSTOP)
        else:
            victim.kill()
        assert await searches == expected
        await generator.ready()
        await other.until(RUNNING, 0)

        if fault == "paused":
            victim.signal(signal.SIGCONT)
            await victim.until(RUNNING, 0)
            await victim.until(WAITING, 0)
        else:
            victim.start()
            await asyncio.to_thread(victim.wait)
        await until(lambda: not any(replica.ejected for replica in generator._upstream._replicas))
        while await drawn_at(victim, generator) != at_home:
            pass  # the slow first call of a new process may have ejected the replica once more

    run(test, victim, other)


def test_searches_fail_while_no_replica_is_reachable(servers: tuple[VllmServer, VllmServer]) -> None:
    (server, _) = servers

    async def test(generator: OpenAiGenerator, reward_model: EmbeddedRewardModel) -> None:
        searches = asyncio.create_task(answers(generator, reward_model))
        await server.until(RUNNING, 1)
        server.kill()
        with pytest.raises(GeneratorError, match=r"The server of the generator at .* failed"):
            await searches
        with pytest.raises(GeneratorError, match="No server of the generator is ready"):
            await generator.ready()
        server.start()
        await asyncio.to_thread(server.wait)
        await generator.ready()
        assert None not in await answers(generator, reward_model)

    run(test, server)
