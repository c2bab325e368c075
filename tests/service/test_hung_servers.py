"""Requests while the servers of a model hang, over every route that needs them, with real sockets behind the service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest

from epf.core.errors import GeneratorError
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.generator import OpenAiGenerator
from epf.reward_models.http import HttpRewardModel, connect
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.engines.http.server import Answer, Request, Upstreams, upstream
from tests.generators.openai.test_faults import choice, stream
from tests.service.serving import client_of, events_of

TOKENIZER = ChatTokenizer(STORIES.generator)
SILENT = Answer(stall=True)
PROBLEM = {"problem": "There are 45 birds on a wire. 17 fly away. How many are left?", "seed": 1}
SEARCH: dict[str, Any] = {"method": "epf", "n_particles": 2, "max_seconds": 6}
"""Half of that is left for going on without scores."""

Test = Callable[[httpx.AsyncClient, Upstreams, Upstreams], Awaitable[None]]


def writes(request: Request) -> Answer:
    """A step, and after it the answer."""
    if request.path != "/v1/completions":
        return Answer({})
    text = "45 - 17 = 28.\n\n" if request.body["prompt"][-1] != TOKENIZER.encode("\n\n")[-1] else "The answer is \\boxed{28}."
    ids = list(TOKENIZER.encode(text))
    separated = text.endswith("\n\n")
    more: dict[str, Any] = {"stop_reason": "\n\n"} if separated else {}
    both = [choice(text, ids, [-0.1] * len(ids), "stop", **more) | {"index": i} for i in range(request.body.get("n", 1))]
    return stream(both)


def scores(request: Request) -> Answer:
    return Answer({"probability": 0.9, "n_tokens": 5} if request.path == "/score" else {})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.health.QUIET_S", 0.1)
    monkeypatch.setattr("epf.engines.http.connections.PROBE_TIMEOUT_S", 0.5)
    monkeypatch.setattr("epf.service.operations.readiness.CACHED_S", 0.0)


@asynccontextmanager
async def service(generators: list[str], reward_model: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service in front of these servers."""
    upstream = Upstream(generators, GeneratorError, "the generator")
    async with (
        aclosing(OpenAiGenerator(upstream, TOKENIZER, "tiny", 512)) as generator,
        aclosing(HttpRewardModel(connect([reward_model]))) as scorer,
        client_of(create_app(generator, scorer, Settings(max_seconds=SEARCH["max_seconds"]))) as client,
    ):
        yield client


def run(test: Test) -> None:
    """Run a test on a service with one server for each model."""

    async def main() -> None:
        async with upstream(writes) as writer, upstream(scores) as scorer, service([writer.url], scorer.url) as client:
            await test(client, writer, scorer)

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.slow
def test_a_search_whose_reward_model_hangs_goes_on_without_scores() -> None:
    async def test(client: httpx.AsyncClient, writer: Upstreams, scorer: Upstreams) -> None:
        scorer.answer = lambda request: SILENT if scorer.requests[1:] else scores(request)
        response = await client.post("/solve", json=PROBLEM | SEARCH)
        result = response.json()
        assert response.status_code == 200, result
        assert (result["answer"], result["stop_reason"]) == ("28", "model_failed")
        assert "not_scored" in [warning["code"] for warning in result["warnings"]]
        unready = await client.get("/readyz")
        assert unready.status_code == 503
        message = unready.json()["error"]["message"]
        assert "the reward model would fail (the reward model's server does not respond to health checks)" in message
        assert scorer.url not in message

    run(test)


@pytest.mark.slow
def test_a_score_of_a_server_that_hangs_is_an_error_that_names_it() -> None:
    async def test(client: httpx.AsyncClient, writer: Upstreams, scorer: Upstreams) -> None:
        scorer.answer = lambda _: SILENT
        response = await client.post("/score", json={"problem": PROBLEM["problem"], "steps": ["45 - 17 = 28."]})
        assert response.status_code == 502
        message = response.json()["error"]["message"]
        assert message.startswith(
            f"The server of the reward model at {scorer.url} failed after 1 attempt: it responded to no call"
        )

    run(test)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("route", "streamed"),
    [(route, streamed) for route in ("/solve", "/v1/chat/completions") for streamed in (False, True)]
    + [("/solve/batch", False)],
)
def test_a_generator_that_hangs_is_an_error_that_names_it_before_the_deadline(route: str, streamed: bool) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "/solve": PROBLEM | SEARCH,
        "/v1/chat/completions": {
            "model": "epf-2",
            "messages": [{"role": "user", "content": PROBLEM["problem"]}],
            "search": {"max_seconds": 4},
        },
        "/solve/batch": {"problems": [PROBLEM], **SEARCH},
    }

    async def test(client: httpx.AsyncClient, writer: Upstreams, scorer: Upstreams) -> None:
        writer.answer = lambda _: SILENT
        response = await client.post(route, json=bodies[route] | ({"stream": True} if streamed else {}))
        assert f"The server of the generator at {writer.url} failed after 1 attempt: it responded to no call" in response.text
        assert "allow more time" not in response.text
        if route != "/solve/batch" and not streamed:
            assert response.status_code == 502

    run(test)


@pytest.mark.slow
def test_a_stream_is_answered_by_the_other_of_two_servers() -> None:
    async def main() -> None:
        async with (
            upstream(lambda _: SILENT) as hung,
            upstream(writes) as well,
            upstream(scores) as scorer,
            service([hung.url, well.url], scorer.url) as client,
        ):
            answers = []
            for i in range(4):  # half of the problems belong to the server that hangs
                problem = {"problem": f"Tom has {i + 2} apples and buys {i} more. How many does he have?"}
                response = await client.post("/solve", json=problem | SEARCH | {"stream": True})
                answers.append(events_of(response.text)[-1]["result"]["answer"])
            assert answers == ["28"] * 4
            metrics = (await client.get("/metrics")).text
            assert 'epf_upstream_up{model="generator",replica="0"} 0.0' in metrics
            assert 'epf_upstream_ejections_total{model="generator",replica="0"} 1.0' in metrics
            assert (await client.get("/readyz")).status_code == 200

    asyncio.run(asyncio.wait_for(main(), 60))
