"""A server on a real socket with a scripted response for each request: valid, invalid, or none."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The response to send.

    ``cut`` announces more bytes than it sends, ``stall`` sends nothing, ``reset`` resets the connection after the body.
    ``drip``, which may be empty, is sent repeatedly after the body until the client disconnects. ``slow_head`` sends a
    head that does not end, byte by byte. Nothing is sent before ``after`` is set.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    stall: bool = False
    reset: bool = False
    drip: bytes | None = None
    slow_head: bool = False
    after: asyncio.Event | None = None


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: Any


class Upstreams:
    """Responds to each request with ``answer(request)`` and records it in ``requests`` if ``records(request)``."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.records: Callable[[Request], bool] = lambda _: True
        self.n_connections = 0
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        try:
            while True:
                await self._answer_one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rows = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (row.split(": ", 1) for row in rows)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(line.split(" ")[1], headers, json.loads(body) if body else None)
        if self.records(request):
            self.requests.append(request)
        self.arrived.set()
        answer = self.answer(request)
        if answer.after is not None:
            await answer.after.wait()
        if answer.stall:
            await reader.readexactly(1)  # until the client disconnects
        if answer.slow_head:
            writer.write(b"HTTP/1.1 200 X\r\nx-slow: ")
            await self._drip(b"a", reader, writer)
        if answer.body is not None or not answer.reset:
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            length = len(content) + 10 * answer.cut
            ends = f"content-length: {length}" if answer.drip is None else "connection: close"
            extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
            writer.write(f"HTTP/1.1 {answer.status} X\r\n{ends}\r\n{extra}\r\n".encode() + content)
            await writer.drain()
        if answer.reset:
            # A linger time of zero resets the connection instead of closing it.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise ConnectionError
        if answer.drip is not None:
            await self._drip(answer.drip, reader, writer)
        if answer.cut:
            raise ConnectionError

    async def _drip(self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send ``data`` again and again until the client disconnects."""
        while not reader.at_eof():
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.01)
        raise ConnectionError


@asynccontextmanager
async def upstream(answer: Callable[[Request], Answer]) -> AsyncIterator[Upstreams]:
    """Serve until the end of the block."""
    upstreams = Upstreams(answer)
    server = await asyncio.start_server(upstreams.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    upstreams.url = f"http://{host}:{port}"
    try:
        yield upstreams
    finally:
        server.close()
