"""A search is cancelled by its id, and only by the caller that started it."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of, posted, served, until

GUARD_S = 30


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
def test_a_cancelled_request_ends_with_an_error_and_others_continue(path: str, body: dict[str, Any]) -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator(hold=True)
        app = create_app(generator, ScriptedRewardModel())
        async with (
            asyncio.timeout(GUARD_S),
            served(app) as address,
            posted(address, path, body, x_request_id="mine", connection="close") as mine,
            posted(address, "/solve", {"problem": "other"}, x_request_id="other"),
            httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}", timeout=60) as client,
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


def test_an_unknown_id_is_404() -> None:
    async def scenario() -> None:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            for path in ("/solve/nothing", "/solve/batch", "/solve/%00", "/solve/" + "x" * 5000):
                response = await client.delete(path)
                assert response.status_code == 404
                assert failure(response)["code"] == "not_found"

    asyncio.run(scenario())


def test_callers_with_the_same_id_cancel_only_their_own() -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator(hold=True)
        keys = {name: f"the-long-key-of-{name}" for name in ("alice", "bob", "carol")}
        settings = Settings(api_keys={name: SecretStr(key) for name, key in keys.items()})
        alice, bob, carol = ({"authorization": f"Bearer {key}", "x-request-id": "same"} for key in keys.values())
        async with client_of(create_app(generator, ScriptedRewardModel(), settings)) as client:
            solving = [
                asyncio.create_task(client.post("/solve", json={"problem": "a"}, headers=headers)) for headers in (alice, bob)
            ]
            await until(lambda: generator.n_running == 16)
            assert (await client.delete("/solve/same", headers=carol)).status_code == 404
            assert generator.n_running == 16
            for n_left, headers, response in zip((8, 0), (alice, bob), solving, strict=True):
                assert (await client.delete("/solve/same", headers=headers)).status_code == 200
                assert (await response).status_code == 499
                assert failure(await response)["code"] == "cancelled"
                assert generator.n_running == n_left

    asyncio.run(scenario())
