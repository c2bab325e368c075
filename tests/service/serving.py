"""Servers on a real socket or in the process, clients that disconnect, and readers of event streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from epf.service.searches.lease import Searches
from epf.service.server import Listening, config_of, listen
from epf.service.settings import Settings
from epf.service.state import ServiceState


class Connection(NamedTuple):
    """A raw client connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


GUARD_S = 60
"""Time after which a hanging test fails, in seconds."""


def searches_of(app: FastAPI) -> Searches:
    """The searches of a service whose models are loaded."""
    searches = ServiceState.of(app).searches
    assert searches is not None
    return searches


@asynccontextmanager
async def served(app: ASGIApp, settings: Settings | None = None) -> AsyncIterator[tuple[str, int]]:
    """Serve ``app`` with uvicorn at the yielded host and port. Connections queue in the socket until the server has started.

    ``settings`` limit the connections; by default they are those of the application, if it has any.
    """
    state = getattr(getattr(app, "state", None), "server", None)
    settings = settings or (state.settings if state else Settings())
    counts = state.metrics if state else None
    with listen("127.0.0.1", 0) as listening:
        server = Listening(config_of(app, settings, counts, closing_s=1))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of ``app`` in this process, with the application's lifespan around it."""
    async with (
        asyncio.timeout(GUARD_S),
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=GUARD_S) as client,
    ):
        yield client


@asynccontextmanager
async def posted(address: tuple[str, int], path: str, body: Any, **headers: str) -> AsyncIterator[Connection]:
    """A connection on which ``body`` has been posted to ``path``; it is closed at the end."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        content = json.dumps(body).encode()
        lines = {"host": "localhost", "content-type": "application/json", "content-length": str(len(content)), **headers}
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
        writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def until(condition: Callable[[], bool]) -> float:
    """Let other tasks run until ``condition`` holds, and return the elapsed seconds. The caller sets a time limit."""
    loop = asyncio.get_running_loop()
    since_s = loop.time()
    while not condition():
        await asyncio.sleep(0)
    return loop.time() - since_s


def events_of(text: str) -> list[dict[str, Any]]:
    """Data of each server-sent event of a complete stream, without comments. Its ``type`` is the name of the event."""
    blocks = [block for block in text.split("\n\n") if not block.startswith(":")]
    assert blocks.pop() == "", "the stream ends within an event"
    found = []
    for block in blocks:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found
