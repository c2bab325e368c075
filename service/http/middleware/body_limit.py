"""Limits on the size and duration of request bodies, each and all together, enforced before they are parsed."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epf.core.errors import BodyTooLarge, BodyTooSlow, InvalidRequest, SearchServiceError
from epf.service.http.disconnect import CLIENT_GONE, ClientGone
from epf.service.http.errors import response_to
from epf.service.http.middleware.body_room import BodyRoom, Share
from epf.service.http.middleware.compression import decompressed, is_compressed


class BodyLimit:
    """ASGI middleware: reads the body before the application does, and refuses one that is too large or too slow.

    A body compressed with gzip is decompressed, and its content has the same limit. An announced length that is too large is
    refused before anything is read. The application receives the whole body in one message, followed by further messages of the
    server, such as a disconnect. ``max_bytes_under`` has the limits of path prefixes that differ.
    """

    def __init__(
        self, app: ASGIApp, *, max_bytes: int, max_bytes_under: Mapping[str, int], max_bytes_in_all: int, timeout_s: float
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_bytes_under = max_bytes_under
        self.timeout_s = timeout_s
        self._room = BodyRoom(max_bytes_in_all)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and pass it on, or respond with 400, 408, 413, 415 or 503."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self._room.share() as share:
            await self._respond(scope, receive, send, share)

    async def _respond(self, scope: Scope, receive: Receive, send: Send, share: Share) -> None:
        deadline_s = asyncio.get_running_loop().time() + self.timeout_s
        try:
            max_bytes = self._limit(scope["path"])
            headers = Headers(scope=scope)
            compressed = is_compressed(headers)
            _check_announced(headers, max_bytes)
            body = await self._read(receive, max_bytes, deadline_s, share)
            if compressed:
                body = await decompressed(body, max_bytes)
                share.take(len(body))
                _describe(scope, body)
            replayed = _replayed(body, receive)
        except ClientGone:
            await Response(status_code=CLIENT_GONE)(scope, receive, send)
        except SearchServiceError as error:
            share.give_back()  # a client may take long to end the body that is refused
            response = response_to(error)
            response.headers["connection"] = "close"
            await response(scope, receive, _lingering(receive, send, deadline_s))
        else:
            await self.app(scope, replayed, send)

    def _limit(self, path: str) -> int:
        return next((limit for start, limit in self.max_bytes_under.items() if path.startswith(start)), self.max_bytes)

    async def _read(self, receive: Receive, max_bytes: int, deadline_s: float, share: Share) -> bytes:
        body = BytesIO()  # unlike a bytearray, it gives its content away without a copy
        try:
            async with asyncio.timeout_at(deadline_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    share.take(body.write(message.get("body", b"")))
                    if body.tell() > max_bytes:
                        raise _too_large(max_bytes)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise BodyTooSlow(f"The request body must arrive within {self.timeout_s:g} s: send it without delay.") from None
        return body.getvalue()


def _check_announced(headers: Headers, max_bytes: int) -> None:
    for announced in headers.getlist("content-length"):
        if not re.fullmatch("[0-9]{1,18}", announced):
            raise InvalidRequest("The header `Content-Length` must be the size of the body in bytes: correct it.")
        if int(announced) > max_bytes:
            raise _too_large(max_bytes)


def _describe(scope: Scope, body: bytes) -> None:
    """Make the headers those of the decompressed body."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    del headers["content-encoding"]
    headers["content-length"] = str(len(body))
    scope["headers"] = headers.raw


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body may have at most {max_bytes} bytes: send a shorter one.")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """``receive``, preceded by the body that was read. The body is released once it has been received."""
    unread: bytes | None = body

    async def replayed() -> Message:
        nonlocal unread
        if unread is None:
            return await receive()
        message = {"type": "http.request", "body": unread, "more_body": False}
        unread = None
        return message

    return replayed


def _lingering(receive: Receive, send: Send, deadline_s: float) -> Send:
    """``send`` for a response that precedes the end of the body. It ends after the body or at the deadline.

    Closing a connection while bytes still arrive would discard the response of a client that has not read it yet.
    """

    async def lingering(message: Message) -> None:
        if message["type"] == "http.response.body":
            await send({**message, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline_s):
                    while (await receive()).get("more_body", False):
                        pass
            message = {"type": "http.response.body"}
        await send(message)

    return lingering
