"""Probes in all phases of a server: /healthz reports that it is alive, /readyz whether it can work."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI

from epf.core.errors import GeneratorError, Overloaded, RewardModelError
from epf.service.app import create_app
from epf.service.operations.lifecycle import Lifecycle
from epf.service.operations.readiness import Readiness
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from epf.service.state import ServerState
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

NAMES = {"generator": "scripted-generator", "reward_model": "scripted-reward-model"}


def run(app: FastAPI, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with client_of(app) as client:
            await test(client)

    asyncio.run(scenario())


async def state(client: httpx.AsyncClient) -> str:
    """State of the server according to /readyz. /healthz always reports ok."""
    alive = await client.get("/healthz")
    assert alive.status_code == 200
    assert alive.json()["status"] == "ok"
    response = await client.get("/readyz")
    if response.status_code == 200:
        return str(response.json()["status"])
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.headers["x-should-retry"] == "true"
    error = response.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("overloaded_error", "overloaded", None)
    return str(error["message"])


def scoring(generator: ScriptedGenerator, reward_model: ScriptedRewardModel) -> FastAPI:
    return create_scoring_app(reward_model, Settings())


@pytest.mark.parametrize(("made", "n_models"), [(create_app, 2), (scoring, 1)])
def test_the_server_is_healthy_while_its_models_are(
    made: Callable[..., FastAPI], n_models: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epf.service.operations.readiness.CACHED_S", 0.0)
    generator, reward_model = ScriptedGenerator(), ScriptedRewardModel()

    async def test(client: httpx.AsyncClient) -> None:
        assert await state(client) == "HEALTHY"
        models = (await client.get("/readyz")).json()["models"]
        assert models == dict(list(NAMES.items())[2 - n_models :])
        reward_model.unready = RewardModelError("canary")
        assert await state(client) == "UNHEALTHY: the reward model would fail: try again later"
        reward_model.unready = RuntimeError("canary")
        assert await state(client) == "UNHEALTHY: the reward model would fail: try again later"
        generator.unready = GeneratorError("canary")
        both = "generator and the reward model" if n_models == 2 else "reward model"
        assert await state(client) == f"UNHEALTHY: the {both} would fail: try again later"
        generator.unready = reward_model.unready = None
        assert await state(client) == "HEALTHY"
        ServerState.of(app).lifecycle.draining = True
        assert await state(client) == "DRAINING: the server is shutting down: try again later"

    app = made(generator, reward_model)
    run(app, test)


class Slow(ScriptedRewardModel):
    """Checks its readiness until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.n_asked = 0

    async def ready(self) -> None:
        self.n_asked += 1
        await self.gate.wait()


def test_any_number_of_probes_check_the_model_once_per_second() -> None:
    async def scenario() -> None:
        now_s = 100.0
        model, lifecycle = Slow(), Lifecycle()
        lifecycle.models = {"reward_model": model}
        readiness = Readiness(lifecycle, lambda: now_s)
        asking = [asyncio.create_task(readiness.check()) for _ in range(10)]
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(*asking)
        now_s += 0.9
        await readiness.check()
        assert model.n_asked == 1
        now_s += 0.2
        await readiness.check()
        assert model.n_asked == 2

    asyncio.run(scenario())


def test_an_unresponsive_model_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.service.operations.readiness.TIMEOUT_S", 0.01)

    async def scenario() -> None:
        lifecycle = Lifecycle()
        lifecycle.models = {"reward_model": Slow()}
        with pytest.raises(Overloaded, match="UNHEALTHY"):
            await Readiness(lifecycle).check()

    asyncio.run(scenario())
