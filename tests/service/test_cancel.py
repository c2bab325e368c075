"""A search is cancelled by its id, by the caller that began it and by no other."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import create_app
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of, posted, served, until

GUARD_S = 30


def named_by_headers(app: ASGIApp) -> ASGIApp:
    """What the middlewares around the application tell it: who asks, and the id of the request."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = httpx.Headers(scope["headers"])
            scope |= {"caller": headers.get("from", "anonymous"), "request_id": headers.get("x-request-id", "unnamed")}
        await app(scope, receive, send)

    return named


def failure(response: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/solve", {"problem": "a"}),
        ("/solve", {"problem": "a", "stream": True}),
        ("/solve/batch", {"problems": ["a", "b", "c"], "concurrency": 2}),
    ],
)
def test_cancelled_request_is_told_so_and_others_go_on(path: str, body: dict[str, Any]) -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator(hold=True)
        app = create_app(generator, ScriptedRewardModel())
        async with (
            asyncio.timeout(GUARD_S),
            served(named_by_headers(app)) as address,
            posted(address, path, body, x_request_id="mine", connection="close") as mine,
            posted(address, "/solve", {"problem": "other"}, x_request_id="other"),
            httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}") as client,
        ):
            await until(lambda: generator.n_running == (24 if path == "/solve/batch" else 16))
            response = await client.delete("/solve/mine")
            assert response.status_code == 200
            assert response.json() == {"id": "mine", "cancelled": 1}
            answer = (await mine.reader.read()).decode()
            assert generator.n_running == 8, "the other search goes on"
            again = await client.delete("/solve/mine")
            assert again.status_code == 404
            assert failure(again)["code"] == "not_found"
            if path == "/solve" and not body.get("stream"):
                assert answer.startswith("HTTP/1.1 499")
                assert json.loads(answer.split("\r\n\r\n")[1])["error"]["code"] == "cancelled"
            else:
                assert answer.startswith("HTTP/1.1 200")
                assert '"type":"error"' in answer
                assert '"code":"cancelled"' in answer

    asyncio.run(scenario())


def test_nothing_of_that_id_is_404() -> None:
    async def scenario() -> None:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            for path in ("/solve/nothing", "/solve/batch", "/solve/%00", "/solve/" + "x" * 5000):
                response = await client.delete(path)
                assert response.status_code == 404
                assert failure(response)["code"] == "not_found"

    asyncio.run(scenario())


def test_another_caller_s_search_is_404_and_goes_on() -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator(hold=True)
        app = create_app(generator, ScriptedRewardModel())
        alice, bob = ({"from": name, "x-request-id": "same"} for name in ("alice", "bob"))
        async with (
            asyncio.timeout(GUARD_S),
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(named_by_headers(app)), base_url="http://service") as client,
        ):
            solving = asyncio.create_task(client.post("/solve", json={"problem": "a"}, headers=alice))
            await generator.entered.wait()
            assert (await client.delete("/solve/same", headers=bob)).status_code == 404
            assert generator.n_running == 8
            assert (await client.delete("/solve/same", headers=alice)).status_code == 200
            response = await solving
            assert response.status_code == 499
            assert failure(response)["code"] == "cancelled"
            assert generator.n_running == 0

    asyncio.run(scenario())
