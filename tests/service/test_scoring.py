"""The scoring server on a real socket: its limits, errors and state."""

import asyncio
import math
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest

from epf.core.errors import ContextTooLong, RewardModelError
from epf.core.reward_model import Score
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from epf.service.state import ServerState
from tests.processes import running
from tests.service.serving import GUARD_S, served

TRACE = {"problem": "1 + 1 = ?", "steps": ["1 + 1 = 2."]}


class Model:
    """Returns ``probability``, waits while ``hold`` is set, or raises ``error``."""

    name = "scripted"

    def __init__(self, probability: float = 0.25) -> None:
        self.probability = probability
        self.error: Exception | None = None
        self.hold = False
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.closed = False

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        self.asked.append((problem, tuple(steps)))
        if self.error is not None:
            raise self.error
        if self.hold:
            self.entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return Score(self.probability, 3)

    async def ready(self) -> None:
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        self.closed = True


def run(model: Model, test: Callable[[httpx.AsyncClient], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with (
            served(create_scoring_app(model, Settings(**settings))) as (host, port),
            httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S) as client,
        ):
            await test(client)

    asyncio.run(asyncio.wait_for(main(), 30))
    assert model.closed


def test_a_trace_is_scored() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        response = await client.post("/score", json=TRACE)
        assert response.status_code == 200
        assert response.json() == {"probability": 0.25, "n_tokens": 3}
        assert model.asked == [("1 + 1 = ?", ("1 + 1 = 2.",))]

    model = Model()
    run(model, test)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "problem"),
        ({"problem": "p"}, 400, "steps"),
        ({"problem": "p", "steps": []}, 400, "steps"),
        ({"problem": "p", "steps": [1]}, 400, "steps.0"),
        ({"problem": "p", "steps": "s"}, 400, "steps"),
        ({"problem": None, "steps": ["s"]}, 400, "problem"),
        ({"problem": "p", "steps": ["s"], "more": 1}, 400, "more"),
        ({"problem": "p" * 51, "steps": ["s"]}, 400, "problem"),
        ({"problem": "p", "steps": ["s"] * 4}, 400, "steps"),
        ({"problem": "p", "steps": ["数" * 41]}, 400, "steps.0"),
        ({"problem": "p", "steps": ["s", "s" * 41]}, 400, "steps.1"),
        ({"problem": "p", "steps": ["s" * 40, "s" * 40]}, 400, "steps"),
        ({"problem": "p", "steps": ["s" * 2000]}, 413, None),
        (b"no", 400, None),
    ],
)
@pytest.mark.slow
def test_invalid_traces_are_refused(body: Any, status: int, param: str | None) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        response = await client.post("/score", headers={"content-type": "application/json"}, **content)
        assert response.status_code == status
        error = response.json()["error"]
        assert error["param"] == param
        assert error["message"]
        assert not model.asked

    model = Model()
    run(model, test, max_problem_chars=50, max_step_chars=40, max_solution_chars=70, max_steps=3, max_body_bytes=1000)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ContextTooLong("too long"), 400, "context_length_exceeded"),
        (RewardModelError("broken"), 502, "reward_model_error"),
        (RuntimeError("a secret"), 500, "internal_error"),
    ],
)
def test_failures_of_the_model_are_reported(error: Exception, status: int, code: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        model.error = error
        response = await client.post("/score", json=TRACE)
        assert response.status_code == status
        assert response.json()["error"]["code"] == code
        assert "secret" not in response.text
        model.error = None
        assert (await client.post("/score", json=TRACE)).status_code == 200

    model = Model()
    run(model, test)


@pytest.mark.parametrize("probability", [math.nan, math.inf, -0.1, 1.1])
def test_invalid_scores_are_refused(probability: float) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        response = await client.post("/score", json=TRACE)
        assert response.status_code == 502
        assert response.json()["error"]["code"] == "reward_model_error"

    run(Model(probability), test)


def test_a_full_server_refuses_and_recovers() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        model.hold = True
        waiting = [asyncio.create_task(client.post("/score", json=TRACE)) for _ in range(2)]
        while len(model.asked) < 2:
            await asyncio.sleep(0)
        response = await client.post("/score", json=TRACE)
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "overloaded"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await model.cancelled.wait()
        model.hold = False
        while (await client.post("/score", json=TRACE)).status_code != 200:
            pass

    model = Model()
    run(model, test, max_particles_in_flight=1, max_particles_queued=1)


def test_the_deadline_ends_a_slow_call() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        response = await client.post("/score", json=TRACE)
        assert response.status_code == 504
        assert response.json()["error"]["code"] == "deadline_exceeded"
        await model.cancelled.wait()

    model = Model()
    model.hold = True
    run(model, test, max_seconds=0.05)


def test_a_shutdown_refuses_new_traces_and_ends_open_ones_with_a_retryable_error() -> None:
    async def main() -> None:
        app = create_scoring_app(model, Settings())
        async with served(app) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S) as client:
            scoring = asyncio.create_task(client.post("/score", json=TRACE))
            await model.entered.wait()
            await ServerState.of(app).lifecycle.end(0.0)
            await model.cancelled.wait()
            for response in (await scoring, await client.post("/score", json=TRACE)):
                assert response.status_code == 503
                assert response.headers["retry-after"] == "5"
                assert response.json()["error"]["message"].startswith("DRAINING")
            assert len(model.asked) == 1

    model = Model()
    model.hold = True
    asyncio.run(asyncio.wait_for(main(), 30))


def test_the_command_serves_the_embedded_model() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = "import sys; from epf.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "serve-prm", "--port", str(port)]
    environment = {**os.environ, "EPF_DRAIN_NOTICE_S": "0"}
    with running(command, env=environment, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        assert any("running on" in line for line in server.stderr)
        response = httpx.post(f"http://127.0.0.1:{port}/score", json=TRACE, timeout=30)
        assert response.status_code == 200
        assert 0 <= response.json()["probability"] <= 1
    assert server.returncode == 0
