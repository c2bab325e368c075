"""Responses without a connection: queued at once, resumed from any event, cancelled, deleted, refused and drained."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from epf.core.errors import GeneratorError
from epf.service.app import create_app
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.service.chat.writing import GUARD_S, PROBLEM, SOLUTION, Judge, Writer, failure
from tests.service.responses.asking import events_of, text_of
from tests.service.serving import posted, searches_of, served, until

BODY: dict[str, Any] = {"model": "epf-2", "input": PROBLEM, "background": True}
KEYS = {"alice": "alice-key-0123456789", "bob": "bob-key-01234567890"}


@asynccontextmanager
async def opened(app: FastAPI, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of ``app`` over a real socket."""
    async with (
        asyncio.timeout(GUARD_S),
        served(app) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S, headers=headers) as client,
    ):
        await until(lambda: bool(ServiceState.of(app).lifecycle.models))
        yield client


async def created(client: httpx.AsyncClient, **fields: Any) -> str:
    response = await client.post("/v1/responses", json={**BODY, **fields})
    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["status"], body["output"], body["background"]) == ("queued", [], True)
    id: str = body["id"]
    return id


async def ended(client: httpx.AsyncClient, id: str) -> Any:
    """The response once its stream has ended."""
    await client.get(f"/v1/responses/{id}", params={"stream": True})
    return (await client.get(f"/v1/responses/{id}")).json()


def test_a_response_goes_on_without_a_connection() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        writer = Writer(gate=gate)
        async with opened(create_app(writer, Judge())) as client:
            id = await created(client)
            await until(lambda: writer.n_running == 2)
            running = (await client.get(f"/v1/responses/{id}")).json()
            assert (running["status"], running["usage"]) == ("in_progress", None)
            too_early = await client.post("/v1/responses", json={**BODY, "previous_response_id": id})
            assert "has not ended" in failure(too_early)["message"]
            gate.set()
            response = await ended(client, id)
            assert (response["status"], text_of(response)) == ("completed", SOLUTION)
            assert (await client.post(f"/v1/responses/{id}/cancel")).json() == response, "an ended response stays as it is"

    asyncio.run(scenario())


def test_a_broken_stream_is_resumed_at_any_event() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        writer = Writer(gate=gate)
        app = create_app(writer, Judge())
        async with asyncio.timeout(GUARD_S), served(app) as (host, port):
            async with posted((host, port), "/v1/responses", {**BODY, "stream": True}) as (reader, _):
                begun = await reader.readuntil(b"response.in_progress\n")
                id = begun.partition(b'"id":"')[2].partition(b'"')[0].decode()
                await until(lambda: writer.n_running == 2)
            assert searches_of(app).n_in_progress == 1, "the broken connection does not end the search"
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S) as client:
                following = asyncio.create_task(client.get(f"/v1/responses/{id}", params={"stream": True, "starting_after": 2}))
                await until(lambda: len(searches_of(app)._running) == 1)
                gate.set()
                late = events_of((await following).text)
                every = events_of((await client.get(f"/v1/responses/{id}", params={"stream": True})).text)
                assert [event["type"] for event in every[:3]] == [
                    "response.created",
                    "response.queued",
                    "response.in_progress",
                ]
                assert every[-1]["type"] == "response.completed"
                assert late == every[3:]
                for after in range(len(every)):
                    url = f"/v1/responses/{id}?stream=true&starting_after={after}"
                    assert events_of((await client.get(url)).text or "\n\n") == every[after + 1 :]

    asyncio.run(scenario())


def test_cancelling_ends_the_search_and_the_streams() -> None:
    async def scenario() -> None:
        writer = Writer(gate=asyncio.Event())
        app = create_app(writer, Judge())
        async with opened(app) as client:
            id = await created(client, reasoning={"summary": "auto"})
            following = asyncio.create_task(client.get(f"/v1/responses/{id}", params={"stream": True}))
            await until(lambda: writer.n_running == 2)
            cancelled = (await client.post(f"/v1/responses/{id}/cancel")).json()
            assert (cancelled["id"], cancelled["status"]) == (id, "cancelled")
            assert writer.n_running == 0
            assert searches_of(app).n_in_progress == 0
            last = events_of((await following).text)[-1]
            assert (last["type"], last["response"]) == ("response.incomplete", cancelled)
            assert (await client.post(f"/v1/responses/{id}/cancel")).json() == cancelled

    asyncio.run(scenario())


def test_deleting_ends_the_search() -> None:
    async def scenario() -> None:
        writer = Writer(gate=asyncio.Event())
        app = create_app(writer, Judge())
        async with opened(app) as client:
            id = await created(client)
            await until(lambda: writer.n_running == 2)
            deleted = await client.delete(f"/v1/responses/{id}")
            assert deleted.json() == {"id": id, "object": "response", "deleted": True}
            await until(lambda: writer.n_running == 0 and searches_of(app).n_in_progress == 0)
            for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
                assert (await client.request(method, f"/v1/responses/{id}{path}")).status_code == 404

    asyncio.run(scenario())


def test_a_failure_is_stored() -> None:
    async def scenario() -> None:
        async with opened(create_app(Writer(error=GeneratorError("engine down")), Judge())) as client:
            response = await ended(client, await created(client))
            assert response["status"] == "failed"
            assert response["error"]["epf_code"] == "generator_error"

    asyncio.run(scenario())


def test_capacity_is_shared_with_all_other_requests() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        writer = Writer(gate=gate)
        settings = Settings(max_particles=2, max_particles_in_flight=2, max_particles_queued=2, max_particles_per_key=4)
        async with opened(create_app(writer, Judge(), settings)) as client:
            first, second = await created(client), await created(client)
            await until(lambda: writer.n_running == 2)
            assert (await client.get(f"/v1/responses/{second}")).json()["status"] == "queued"
            refused = await client.post("/v1/responses", json=BODY)
            assert (refused.status_code, failure(refused)["code"]) == (429, "rate_limit_exceeded")
            gate.set()
            for id in (first, second):
                assert (await ended(client, id))["status"] == "completed"

    asyncio.run(scenario())


def test_a_response_belongs_to_its_caller() -> None:
    async def scenario() -> None:
        app = create_app(Writer(), Judge(), Settings(api_keys=KEYS))
        alice, bob = ({"authorization": f"Bearer {key}"} for key in KEYS.values())
        async with opened(app) as client:
            response = (await client.post("/v1/responses", json=BODY, headers=alice)).json()
            for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
                stranger = await client.request(method, f"/v1/responses/{response['id']}{path}", headers=bob)
                assert stranger.status_code == 404
                assert (await client.request(method, f"/v1/responses/{response['id']}{path}")).status_code == 401
            continued = {**BODY, "previous_response_id": response["id"]}
            assert (await client.post("/v1/responses", json=continued, headers=bob)).status_code == 400
            mine = await client.get(f"/v1/responses/{response['id']}?stream=true", headers=alice)
            item = events_of(mine.text)[-1]["response"]["output"][0]["id"]
            referring = {**BODY, "input": [{"type": "item_reference", "id": item}, {"role": "user", "content": "?"}]}
            assert (await client.post("/v1/responses", json=referring, headers=bob)).status_code == 400
            assert (await client.post("/v1/responses", json=referring, headers=alice)).status_code == 200

    asyncio.run(scenario())


def test_a_server_that_stops_ends_its_searches_in_the_background() -> None:
    async def scenario() -> None:
        writer = Writer(gate=asyncio.Event())
        app = create_app(writer, Judge())
        async with opened(app) as client:
            id = await created(client)
            await until(lambda: writer.n_running == 2)
            await ServiceState.of(app).lifecycle.end(0)
            response = await ended(client, id)
            assert response["status"] in ("completed", "incomplete", "failed")
            refused = await client.post("/v1/responses", json=BODY)
            assert (refused.status_code, failure(refused)["code"]) == (503, "overloaded")

    asyncio.run(scenario())


def test_an_application_leaves_no_search_behind() -> None:
    async def scenario() -> None:
        writer = Writer(gate=asyncio.Event())
        app = create_app(writer, Judge())
        async with opened(app) as client:
            await created(client)
            await until(lambda: writer.n_running == 2)
        assert writer.n_running == 0

    asyncio.run(scenario())
