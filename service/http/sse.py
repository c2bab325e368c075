"""Server-sent events: a response that ends its work when the client goes away and keeps a quiet connection open."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from epf.service.http.disconnect import ClientGone, until_client_leaves

PING = ": ping\n\n"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
MAX_BEHIND_BYTES = 32 * 2**20
"""A client that is so far behind what was written for it has gone away."""


def event_frame(name: str, data: str) -> str:
    """One event with one line of ``data``, as JSON always is."""
    return f"event: {name}\ndata: {data}\n\n"


class EventStream(Response):
    """Sends ``frames``, whole events or comments, as they come.

    Nothing is sent before the first frame or ``keep_alive_s``, so an error until then is an ordinary HTTP error; ``on_error``
    writes a later one into the stream. One task iterates the generator from beginning to end, at its own pace, however slowly
    the client reads; it is cancelled, and its end awaited, when the client goes away.

    Args:
        frames: must not have been started.
        on_error: the last frames, for an exception.
        keep_alive_s: a comment goes out after so many quiet seconds.
        send_timeout_s: a client that takes nothing for so many seconds has gone away.
        max_behind_bytes: most of what was written that the client has not taken yet.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[str, None],
        on_error: Callable[[Exception], str],
        *,
        keep_alive_s: float = 10.0,
        send_timeout_s: float = 60.0,
        max_behind_bytes: int = MAX_BEHIND_BYTES,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._frames = frames
        self._on_error = on_error
        self._keep_alive_s = keep_alive_s
        self._send_timeout_s = send_timeout_s
        self._max_behind_bytes = max_behind_bytes
        self._written: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._n_behind_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the frames end, the client goes away or takes nothing any more."""
        try:
            await until_client_leaves(receive, self._respond(send))
        except ClientGone:
            return

    async def _respond(self, send: Send) -> None:
        iterating = asyncio.create_task(self._iterate())
        begun = False
        try:
            while (frame := await self._next()) is not None:
                if not begun:
                    await self._begin(send)
                    begun = True
                await self._body(send, frame)
            try:
                await iterating
            except ClientGone:
                raise
            except Exception as error:
                if not begun:
                    raise
                await self._body(send, self._on_error(error).encode())
            if not begun:
                await self._begin(send)
            await self._send(send, {"type": "http.response.body", "body": b""})
        finally:
            iterating.cancel()
            await asyncio.gather(iterating, return_exceptions=True)

    async def _iterate(self) -> None:
        """Write every frame. Nothing is awaited outside the generator, so a cancellation is always its to see."""
        try:
            async with aclosing(self._frames) as frames:
                async for text in frames:
                    frame = text.encode()
                    self._n_behind_bytes += len(frame)
                    if self._n_behind_bytes > self._max_behind_bytes:
                        raise ClientGone
                    self._written.put_nowait(frame)
        finally:
            self._written.put_nowait(None)

    async def _next(self) -> bytes | None:
        """What to send next: a frame, a ping when nothing is written for long, None at the end."""
        try:
            async with asyncio.timeout(self._keep_alive_s):
                frame = await self._written.get()
        except TimeoutError:
            return PING.encode()
        self._n_behind_bytes -= len(frame or b"")
        return frame

    async def _begin(self, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _body(self, send: Send, body: bytes) -> None:
        await self._send(send, {"type": "http.response.body", "body": body, "more_body": True})

    async def _send(self, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self._send_timeout_s):
                await send(message)
        except (OSError, TimeoutError):
            raise ClientGone from None
