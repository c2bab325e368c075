"""Connections that are kept, and closed nevertheless."""

import asyncio

import httpx
import pytest

from epf.engines.http.transport import PerRequestTransport

HEAD = b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=5, max=100\r\ncontent-length: 2\r\n\r\n"


class Closing:
    """A server that promises to keep each connection, and closes it when the next request arrives."""

    def __init__(self, *, keeps_new: bool = True) -> None:
        self.keeps_new = keeps_new
        self.n_requests = 0
        self.ended: list[asyncio.Event] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ended.append(asyncio.Event())
        ended = self.ended[-1]
        await reader.readuntil(b"\r\n\r\n")
        self.n_requests += 1
        if self.keeps_new:
            writer.write(HEAD + b"{}")
            self.n_requests += len(await reader.read(1))
        writer.close()
        await writer.wait_closed()
        ended.set()


async def get(client: httpx.AsyncClient, url: str) -> int:
    return (await client.get(url)).status_code


def run(server: Closing, n: int) -> list[int]:
    async def main() -> list[int]:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        host, port = listening.sockets[0].getsockname()
        async with asyncio.timeout(30), listening:
            try:
                async with httpx.AsyncClient(transport=PerRequestTransport()) as client:
                    return [await get(client, f"http://{host}:{port}/") for _ in range(n)]
            finally:
                for ended in server.ended:
                    await ended.wait()

    return asyncio.run(main())


def test_a_request_on_a_connection_that_was_closed_meanwhile_is_sent_on_a_new_one() -> None:
    server = Closing()
    assert run(server, 3) == [200, 200, 200]
    assert server.n_requests == 5, "the second and the third request were each sent twice"


def test_a_new_connection_that_breaks_is_an_error_at_once() -> None:
    server = Closing(keeps_new=False)
    with pytest.raises(httpx.RemoteProtocolError):
        run(server, 1)
    assert server.n_requests == 1
