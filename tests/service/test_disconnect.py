"""A client that goes away ends its search, over a real socket; the server goes on."""

import asyncio
import json

import httpx

from service.app import create_app
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import served

GUARD_S = 30


def test_vanished_client_cancels_its_search_and_no_other() -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator(hold=True)
        async with asyncio.timeout(GUARD_S), served(create_app(generator, ScriptedRewardModel())) as (host, port):
            _reader, writer = await asyncio.open_connection(host, port)
            body = json.dumps({"problem": "a", "n_particles": 4}).encode()
            head = f"POST /solve HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await generator.entered.wait()
            assert not generator.cancelled.is_set()

            writer.close()
            await writer.wait_closed()
            await generator.cancelled.wait()

            generator.hold = False
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
                answered = await client.post("/solve", json={"problem": "b"}, timeout=GUARD_S)
            assert answered.json()["answer"] == "42"
            assert generator.n_running == 0

    asyncio.run(scenario())


def test_patient_client_is_answered_over_the_socket() -> None:
    async def scenario() -> None:
        generator = ScriptedGenerator()
        async with served(create_app(generator, ScriptedRewardModel())) as (host, port):
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
                assert (await client.get("/healthz")).json()["status"] == "ok"
                assert (await client.post("/solve", json={"problem": "b"}, timeout=GUARD_S)).json()["answer"] == "42"
            assert not generator.cancelled.is_set()
        assert not generator.closed, "models given by the caller stay the caller's"

    asyncio.run(scenario())
