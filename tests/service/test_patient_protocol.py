"""Requests that are expensive to receive, on a real socket: they are read in small pieces, and others are served meanwhile."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.service.serving import GUARD_S, served

N_CHUNKS = 40_000


class Recorder:
    """An application that records the size of each part of a body, and responds with the whole size."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        sizes = []
        more = True
        while more:
            message = await receive()
            sizes.append(len(message.get("body", b"")))
            more = message.get("more_body", False)
        self.sizes += sizes
        body = json.dumps(sum(sizes)).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def exchanged(address: tuple[str, int], request: bytes) -> bytes:
    """Send a request at once; returns everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    response = await reader.read()
    writer.close()
    return response


def request_of(head: str, body: bytes) -> bytes:
    return f"POST / HTTP/1.1\r\nhost: localhost\r\n{head}\r\n\r\n".encode() + body


def run(scenario: Any) -> None:
    async def test() -> None:
        app = Recorder()
        async with asyncio.timeout(GUARD_S), served(app) as address:
            await scenario(app, address)

    asyncio.run(test())


def test_chunks_of_one_byte_are_read_in_small_parts() -> None:
    async def scenario(app: Recorder, address: tuple[str, int]) -> None:
        chunks = b"1\r\na\r\n" * N_CHUNKS + b"0\r\n\r\n"
        response = await exchanged(address, request_of("transfer-encoding: chunked\r\nconnection: close", chunks))
        assert response.endswith(str(N_CHUNKS).encode())
        # uvicorn's own protocol passes on what it received at once, which is up to 256 KiB, thus 43,690 chunks.
        assert max(app.sizes) < N_CHUNKS / 4

    run(scenario)


def test_a_stranger_is_served_while_others_send_tiny_chunks() -> None:
    async def scenario(app: Recorder, address: tuple[str, int]) -> None:
        n_chunks = 8000
        chunks = b"1\r\na\r\n" * n_chunks + b"0\r\n\r\n"
        attack = request_of("transfer-encoding: chunked\r\nconnection: close", chunks)
        attacks = [asyncio.create_task(exchanged(address, attack)) for _ in range(4)]
        while not app.sizes and not any(task.done() for task in attacks):
            await exchanged(address, request_of("content-length: 0\r\nconnection: close", b""))
        assert not any(task.done() for task in attacks), "the first body of one byte was whole before the stranger's"
        for response in await asyncio.gather(*attacks):
            assert response.endswith(str(n_chunks).encode())

    run(scenario)


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 100_000, 3_000_000])
def test_bodies_of_any_size_arrive_whole(size: int) -> None:
    async def scenario(app: Recorder, address: tuple[str, int]) -> None:
        body = b"a" * size
        response = await exchanged(address, request_of(f"content-length: {size}\r\nconnection: close", body))
        assert response.endswith(b"\r\n\r\n" + str(size).encode())

    run(scenario)


def test_requests_that_follow_each_other_on_one_connection_are_all_answered() -> None:
    async def scenario(app: Recorder, address: tuple[str, int]) -> None:
        sizes = (0, 5000, 1, 70_000, 3)
        requests = [request_of(f"content-length: {size}", b"a" * size) for size in sizes]
        requests.append(request_of("content-length: 2\r\nconnection: close", b"aa"))
        response = await exchanged(address, b"".join(requests))
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in response.split(b"HTTP/1.1 200 OK")[1:]]
        assert bodies == [str(size).encode() for size in (*sizes, 2)]

    run(scenario)
