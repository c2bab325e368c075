"""More requests than the server has capacity for, over a real socket: which run, wait or are refused, and in what order."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from epf.core.generator import Sampling, Step
from epf.service.app import create_app
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import Connection, posted, served, until

GUARD_S = 60
N = 2
"""Number of particles of each request: two requests run, five are queued."""
KEYS = {caller: f"key-of-the-caller-{caller}" for caller in "abcd"}
SETTINGS = Settings(
    api_keys={caller: SecretStr(key) for caller, key in KEYS.items()},
    max_particles=4,
    max_particles_in_flight=2 * N,
    max_particles_queued=5 * N,
    max_particles_per_key=5 * N,
)


class Gated(ScriptedGenerator):
    """Holds every search until its problem is released; ``begun`` lists the problems in the order in which they started."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.begun: list[str] = []
        self.running: list[str] = []

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        problem = "".join(chr(id_ - 1000) for id_ in prefix_ids if id_ >= 1000)
        if problem not in self.begun:
            self.begun.append(problem)
        self.running.append(problem)
        assert len(self.running) <= SETTINGS.max_particles_in_flight
        try:
            await self.gates[problem].wait()
            return await super().step(prefix_ids, sampling, seed)
        finally:
            self.running.remove(problem)


def body(kind: str, problem: str) -> tuple[str, dict[str, Any]]:
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "plain": ("/solve", {"problem": problem, "n_particles": N}),
        "stream": ("/solve", {"problem": problem, "n_particles": N, "stream": True}),
        "batch": ("/solve/batch", {"problems": [problem] * N, "n_particles": 1}),
        "chat": ("/v1/chat/completions", {"model": f"epf-{N}", "messages": [{"role": "user", "content": problem}]}),
    }
    return bodies[kind]


def key(caller: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[caller]}"}


class Crowd:
    """A server, and callers whose requests reach it one after another."""

    def __init__(self, address: tuple[str, int], app: FastAPI, generator: Gated, stack: AsyncExitStack) -> None:
        self.address = address
        self.admission = ServiceState.of(app).admission
        self.generator = generator
        self._stack = stack

    def counts(self) -> tuple[int, int]:
        return self.admission.n_running // N, self.admission.n_waiting // N

    async def comes(self, problem: str, kind: str = "plain") -> Connection:
        """Send a request of the caller named by the first letter of ``problem``, and wait until it runs or is queued."""
        before = sum(self.counts())
        connection = await self._stack.enter_async_context(
            posted(self.address, *body(kind, problem), **key(problem[0]), connection="close")
        )
        await until(lambda: sum(self.counts()) == before + 1)
        return connection

    async def is_refused(self, caller: str, kind: str) -> httpx.Response:
        path, sent = body(kind, caller)
        async with httpx.AsyncClient(base_url=f"http://{self.address[0]}:{self.address[1]}", timeout=60) as client:
            return await client.post(path, json=sent, headers=key(caller))


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    generator = Gated()
    app = create_app(generator, ScriptedRewardModel(), SETTINGS)
    async with asyncio.timeout(GUARD_S), served(app) as address, AsyncExitStack() as stack:
        await until(lambda: ServiceState.of(app).searches is not None)
        yield Crowd(address, app, generator, stack)


@pytest.mark.parametrize("kind", ["plain", "stream", "batch", "chat"])
def test_two_run_five_are_queued_three_are_refused_and_the_queue_empties_in_order(kind: str) -> None:
    async def scenario() -> None:
        async with crowd() as room:
            coming = ["a1", "a2", "a3", "a4", "b1", "b2", "a5"]
            connections = {problem: await room.comes(problem, kind) for problem in coming}
            assert room.counts() == (2, 5)
            await until(lambda: sorted(room.generator.running) == ["a1", "a1", "a2", "a2"])
            for caller, status, code in (
                ("c", 503, "overloaded"),
                ("a", 429, "rate_limit_exceeded"),
                ("b", 503, "overloaded"),
            ):
                response = await room.is_refused(caller, kind)
                assert response.status_code == status
                assert response.json()["error"]["code"] == code
                assert 1 <= int(response.headers["retry-after"]) <= 120
                assert response.headers["x-should-retry"] == "true"
            assert room.counts() == (2, 5)
            # No request of b has been granted yet, but two of a.
            turns = ["b1", "a3", "b2", "a4", "a5"]
            for n, (ends, begins) in enumerate(zip(["a1", "a2", *turns], turns, strict=False)):
                assert room.counts() == (2, 5 - n)
                room.generator.gates[ends].set()
                await until(lambda begins=begins: begins in room.generator.running)  # type: ignore[misc]
            for problem in coming:
                room.generator.gates[problem].set()
                answer = (await connections[problem].reader.read()).decode()
                assert answer.startswith("HTTP/1.1 200")
                assert "boxed{4" in answer
            assert room.generator.begun == ["a1", "a2", *turns]
            assert room.counts() == (0, 0)

    asyncio.run(scenario())


def test_a_client_that_disconnects_in_the_queue_frees_its_capacity_immediately() -> None:
    async def scenario() -> None:
        async with crowd() as room:
            for problem in ("a1", "a2", "a3", "b1", "b2", "b3"):
                await room.comes(problem)
            vanishes = await room.comes("c1")
            assert (await room.is_refused("d", "plain")).status_code == 503
            vanishes.writer.close()
            await until(lambda: room.counts() == (2, 4))
            await room.comes("d1")
            room.generator.gates["a1"].set()
            await until(lambda: len(room.generator.begun) == 3)
            assert "c1" not in room.generator.begun

    asyncio.run(scenario())
