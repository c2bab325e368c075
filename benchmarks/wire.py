"""A client that writes HTTP/1.1 by hand, so that it can stop anywhere and costs little processor time."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

MAX_HEAD = 2**16


class Reply(NamedTuple):
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a request."""
    lines = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Wire:
    """One connection that is opened when it is first needed and again after the server has closed it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(*self.address, limit=2**20)
        self._writer.write(data)
        await self._writer.drain()

    async def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request and return the response. ``body`` is sent as JSON unless it is bytes.

        An idle connection that the server has closed meanwhile is opened once more.
        """
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        reused = self._writer is not None
        try:
            await self.send(request(method, path, content, headers))
            return await self.reply()
        except (OSError, EOFError):
            await self.close()
            if not reused:
                raise
        await self.send(request(method, path, content, headers))
        return await self.reply()

    async def reply(self) -> Reply:
        """The next response, read to its end."""
        assert self._reader is not None
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b"".join([chunk async for chunk in self._chunks()])
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            await self.close()
        return Reply(int(first.split()[1]), headers, body)

    async def some(self) -> bytes:
        """The next bytes that arrive, none at the end of the connection."""
        assert self._reader is not None
        return await self._reader.read(MAX_HEAD)

    async def close(self, *, rudely: bool = False) -> None:
        """Close the connection, or reset it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if rudely:
            writer.transport.abort()
            return
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _chunks(self) -> Any:
        assert self._reader is not None
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
