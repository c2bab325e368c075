"""A service whose generator has no reward model."""

import asyncio
from typing import Any

import httpx
import pytest

from epf.core.errors import InvalidRequest
from epf.service.app import create_app
from epf.service.searches.models import open_service_models
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator
from tests.service.serving import client_of

NEEDS_ONE = "needs a reward model, which is missing: choose ipf, self_consistency or sample, or name a reward model"


def ask(method: str, path: str, body: Any = None, settings: Settings | None = None) -> httpx.Response:
    async def send() -> httpx.Response:
        async with client_of(create_app(ScriptedGenerator(), None, settings)) as client:
            return await client.request(method, path, json=body)

    return asyncio.run(send())


def test_the_default_method_is_self_consistency() -> None:
    result = ask("POST", "/solve", {"problem": "40 + 2?", "n_particles": 3}).json()
    assert (result["method"], result["answer"]) == ("self_consistency", "42")
    assert ask("POST", "/solve", {"problem": "40 + 2?"}, Settings(search={"method": "ipf"})).json()["method"] == "ipf"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/solve", {"problem": "40 + 2?", "method": "epf"}, "method"),
        ("/solve/batch", {"problems": [{"problem": "40 + 2?", "method": "beam"}]}, "problems.0.method"),
        ("/v1/chat/completions", {"model": "epf-4", "messages": [{"role": "user", "content": "40 + 2?"}]}, "model"),
    ],
)
def test_a_method_that_needs_one_is_refused_with_what_to_do(path: str, body: Any, param: str) -> None:
    response = ask("POST", path, body)
    assert response.status_code == (404 if param == "model" else 400)
    error = response.json()["error"]
    assert NEEDS_ONE in error["message"]
    assert error["param"] == param


def test_nothing_is_scored() -> None:
    response = ask("POST", "/score", {"problem": "40 + 2?", "steps": ["42"]})
    assert response.status_code == 404
    assert "no reward model, so it cannot score: start it with --reward-model" in response.json()["error"]["message"]


def test_readiness_metrics_and_models_name_what_is_there() -> None:
    assert ask("GET", "/readyz").json()["models"] == {"generator": "scripted-generator"}
    assert 'generator="scripted-generator",version=' in ask("GET", "/metrics").text
    assert "epf" not in {model["id"] for model in ask("GET", "/v1/models").json()["data"]}


def test_a_default_method_that_needs_one_keeps_the_server_from_starting() -> None:
    settings = Settings(generator={"url": "http://127.0.0.1:1"}, search={"method": "epf"})

    async def start() -> None:
        async with open_service_models(settings):
            raise AssertionError("started")

    with pytest.raises(InvalidRequest, match="'epf' needs a reward model"):
        asyncio.run(start())
