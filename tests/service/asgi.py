"""Calls an application directly, for requests that no HTTP client can send."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope

GUARD_S = 30
LOOPBACK = ("127.0.0.1", 50000)


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: Headers
    body: bytes

    @property
    def error(self) -> Any:
        """The error of the body."""
        return json.loads(self.body)["error"]


def scope_of(
    method: str,
    path: str,
    headers: Iterable[tuple[str, str]] = (),
    *,
    client: tuple[str, int] | None = LOOPBACK,
    query: str = "",
) -> Scope:
    """The scope of a request by ``client`` for ``path``, which is already decoded."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": client,
        "server": ("127.0.0.1", 8000),
    }


async def called(app: ASGIApp, scope: Scope, messages: Sequence[Message] = ()) -> Answer:
    """The response to a request whose body is ``messages``, by default empty. No message follows the body."""
    coming = iter(messages or ({"type": "http.request"},))
    sent: list[Message] = []

    async def receive() -> Message:
        for message in coming:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(GUARD_S):
        await app(scope, receive, send)
    start, *bodies = sent
    assert not bodies[-1].get("more_body", False), "the response has no end"
    return Answer(start["status"], Headers(raw=start["headers"]), b"".join(message.get("body", b"") for message in bodies))
