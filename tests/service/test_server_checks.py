"""The servers of the models are checked when the service starts."""

import asyncio
import logging

import httpx
import pytest

from epf.engines.onnx.pairs import STORIES
from epf.generators.registry import GeneratorOptions
from epf.reward_models.registry import RewardModelOptions
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.engines.http.server import Answer, Request, upstream
from tests.service.serving import client_of, until

MODELS = {"data": [{"id": "qwen", "max_model_len": 512, "owned_by": "vllm"}]}
WATCH = "epf.service.operations.server_checks"


def lists_and_refuses(request: Request) -> Answer:
    """A server that lists its models to everybody, and refuses everything else."""
    return Answer(MODELS) if request.path == "/v1/models" else Answer({"error": {"message": "Incorrect API key"}}, 401)


def lists_and_accepts(request: Request) -> Answer:
    return Answer(MODELS) if request.path in ("/v1/models", "/health") else Answer({"error": "prompt: invalid"}, 400)


def serving(url: str, reward_model: RewardModelOptions | None = None) -> Settings:
    generator = GeneratorOptions(kind="openai", url=url, tokenizer=STORIES.generator)
    return Settings(generator=generator, reward_model=reward_model or RewardModelOptions())


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == WATCH]


def test_a_refused_key_is_logged_once_and_not_ready_until_it_is_accepted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{WATCH}.AGAIN_S", 0.0)
    monkeypatch.setattr("epf.service.operations.readiness.CACHED_S", 0.0)
    caplog.set_level(logging.ERROR)

    async def main() -> None:
        async with asyncio.timeout(60), upstream(lists_and_refuses) as server:
            async with client_of(create_app(settings=serving(server.url))) as client:
                await until(lambda: bool(logged(caplog)))
                refused = await client.get("/readyz")
                assert refused.status_code == 503
                assert refused.json()["error"]["message"].startswith("UNHEALTHY: the generator would fail")
                n_before = len(server.requests)
                await until(lambda: len(server.requests) > n_before + 10)  # it was checked again
                server.answer = lists_and_accepts
                while not await is_ready(client):
                    await asyncio.sleep(0)
            (line,) = logged(caplog)
            assert line == (
                f"generator at {server.url}: key: status 401: Incorrect API key. "
                "Set a key in generator.api_key (EPF_GENERATOR__API_KEY)."
            )

    asyncio.run(main())


def test_a_key_that_the_scoring_server_refuses_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It reports its health to everybody."""
    caplog.set_level(logging.ERROR)

    def scores(request: Request) -> Answer:
        ready = Answer({"status": "HEALTHY", "models": {"reward_model": "prm"}})
        return ready if request.path == "/readyz" else Answer({"error": {"message": "the API key is missing"}}, 401)

    async def main() -> None:
        async with asyncio.timeout(60), upstream(lists_and_accepts) as server, upstream(scores) as scorer:
            options = RewardModelOptions(kind="http", url=scorer.url)
            async with client_of(create_app(settings=serving(server.url, options))) as client:
                await until(lambda: bool(logged(caplog)))
                unready = await client.get("/readyz")
                assert unready.json()["error"]["message"].startswith("UNHEALTHY: the reward model would fail")
            (line,) = logged(caplog)
            assert line.startswith(f"reward model at {scorer.url}: key: status 401: the API key is missing")

    asyncio.run(main())


def test_one_of_several_reward_models_that_is_refused_makes_the_service_unready(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    def scores(request: Request) -> Answer:
        ready = Answer({"status": "HEALTHY", "models": {"reward_model": request.headers["host"]}})
        return ready if request.path == "/readyz" else Answer({"error": {"message": "steps: invalid"}}, 422)

    def refuses(request: Request) -> Answer:
        return scores(request) if request.path == "/readyz" else Answer({"error": {"message": "the API key is missing"}}, 401)

    async def main() -> None:
        async with (
            asyncio.timeout(60),
            upstream(lists_and_accepts) as server,
            upstream(scores) as first,
            upstream(refuses) as second,
        ):
            options = RewardModelOptions.model_validate({"url": first.url, "also": [second.url]})
            async with client_of(create_app(settings=serving(server.url, options))) as client:
                await until(lambda: bool(logged(caplog)))
                unready = await client.get("/readyz")
                assert unready.json()["error"]["message"].startswith("UNHEALTHY: the reward model would fail")
                metrics = (await client.get("/metrics")).text
                assert 'epf_upstream_up{model="reward_model",replica="0"} 1.0' in metrics
                assert 'epf_upstream_up{model="reward_model_2",replica="0"}' in metrics
            (line,) = logged(caplog)
            assert line.startswith(f"reward model at {second.url}: key: status 401: the API key is missing")

    asyncio.run(main())


def test_servers_in_order_are_checked_once_and_cost_no_token(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[Request]:
        async with asyncio.timeout(60), upstream(lists_and_accepts) as server:

            def posts() -> list[Request]:
                return [request for request in server.requests if request.body]

            async with client_of(create_app(settings=serving(server.url))) as client:
                await until(lambda: bool(posts()))
                while not await is_ready(client):
                    await asyncio.sleep(0)
            return posts()

    assert {str(request.body["prompt"]) for request in asyncio.run(main())} == {"{}"}
    assert logged(caplog) == []
