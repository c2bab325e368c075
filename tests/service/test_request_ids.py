"""Every response has the id of its request, which is the caller's own id if that is safe to repeat."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from epf.core.errors import GeneratorError
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.asgi import called, scope_of
from tests.service.serving import client_of, events_of, posted, served

KEY = {"authorization": "Bearer a-key-of-the-tests"}
SETTINGS = Settings(
    api_keys={"tests": SecretStr("a-key-of-the-tests")}, max_body_bytes=100, body_timeout_s=0.05, max_seconds=60.0
)


class BrokenName(ScriptedGenerator):
    broken = False

    @property
    def name(self) -> str:  # type: ignore[override]
        if self.broken:
            raise KeyError
        return "name"


def header_of(id: str) -> str:
    scope = scope_of("GET", "/nothing", [("x-request-id", id)])
    return asyncio.run(called(create_app(ScriptedGenerator(), ScriptedRewardModel()), scope)).headers["x-request-id"]


@pytest.mark.parametrize("id", ["a", "req_1.2:3-4", "A" * 128])
def test_a_safe_id_is_kept(id: str) -> None:
    assert header_of(id) == id


@pytest.mark.parametrize("id", ["", "A" * 129, "a b", "a\n", "a/b", "a,b", "<a>", "\xe4", "../a"])
def test_an_unsafe_id_is_replaced_by_a_new_one(id: str) -> None:
    fresh = header_of(id)
    assert len(fresh) == 32
    assert fresh != header_of(id)


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", "/solve", {"json": {"problem": "a"}}, 200),
        ("POST", "/solve", {"json": {"problem": "a", "stream": True}}, 200),
        ("POST", "/solve", {"json": {"problem": ""}}, 400),
        ("POST", "/solve", {"content": b"{"}, 400),
        ("POST", "/solve/", {}, 400),
        ("POST", "/solve", {"headers": {}}, 401),
        ("GET", "/nothing", {}, 404),
        ("GET", "/solve", {}, 405),
        ("OPTIONS", "/solve", {}, 405),
        ("HEAD", "/nothing", {}, 404),
        ("POST", "/solve", {"content": b" " * 101}, 413),
        ("GET", "/v1/models", {}, 500),
        ("GET", "/docs", {}, 200),
    ],
)
def test_every_kind_of_response_has_the_id(method: str, path: str, sent: dict[str, Any], status: int) -> None:
    generator = BrokenName()

    async def scenario() -> httpx.Response:
        async with client_of(create_app(generator, ScriptedRewardModel(), SETTINGS)) as client:
            generator.broken = status == 500
            headers = {"x-request-id": "mine", **sent.pop("headers", KEY)}
            return await client.request(method, path, headers=headers, **sent)

    response = asyncio.run(scenario())
    assert response.status_code == status
    assert response.headers.get_list("x-request-id") == ["mine"]


def test_slow_bodies_and_the_scoring_server_have_the_id_too() -> None:
    async def scenario() -> None:
        app = create_scoring_app(ScriptedRewardModel(), SETTINGS)
        async with (
            served(app) as address,
            posted(address, "/score", {}, **KEY, **{"content-length": "9"}, x_request_id="mine") as client,
        ):
            answer = (await client.reader.read()).decode()
            assert answer.startswith("HTTP/1.1 408")
            assert "\r\nx-request-id: mine\r\n" in answer

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [None, GeneratorError("down")])
def test_bodies_have_the_id_of_the_header(error: Exception | None) -> None:
    async def scenario() -> None:
        async with client_of(create_app(ScriptedGenerator(error=error), ScriptedRewardModel())) as client:
            streamed = await client.post("/solve", json={"problem": "a", "stream": True})
            started = events_of(streamed.text)[0]
            assert started["id"] == streamed.headers["x-request-id"]
            batch = await client.post("/solve/batch", json={"problems": ["a"]})
            assert events_of(batch.text)[0]["id"] == batch.headers["x-request-id"]
            if error is None:
                for path, body in (("/solve", {"problem": "a"}), ("/score", {"problem": "a", "steps": ["b"]})):
                    response = await client.post(path, json=body, headers={"x-request-id": "mine"})
                    assert json.loads(response.text)["id"] == response.headers["x-request-id"] == "mine"

    asyncio.run(scenario())
