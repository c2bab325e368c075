"""Server-sent events: a response that cancels its work when the client disconnects and keeps an idle connection open."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from epf.service.http.disconnect import ClientGone, cancel_on_disconnect

PING = ": ping\n\n"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
MAX_BUFFERED_BYTES = 32 * 2**20
"""Maximum amount of unread data before a client is treated as disconnected."""


def event_frame(name: str, data: str) -> str:
    """One event whose ``data`` is a single line, like any compact JSON."""
    return f"event: {name}\ndata: {data}\n\n"


class EventStream(Response):
    """Sends ``frames``, which are whole events or comments, as they arrive.

    Nothing is sent before the first frame or ``keep_alive_s``, so an error until then is an ordinary HTTP error. ``on_error``
    writes a later error into the stream. One task iterates the generator from beginning to end at its own pace, however slowly
    the client reads. When the client disconnects, the task is cancelled and its end awaited.

    Args:
        frames: a generator that has not been started.
        on_error: returns the last frames for an exception.
        keep_alive_s: send a comment after this many idle seconds.
        send_timeout_s: treat a client that reads nothing for this many seconds as disconnected.
        max_buffered_bytes: treat a client with more unread data as disconnected.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[str, None],
        on_error: Callable[[Exception], str],
        *,
        keep_alive_s: float = 10.0,
        send_timeout_s: float = 60.0,
        max_buffered_bytes: int = MAX_BUFFERED_BYTES,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._frames = frames
        self._on_error = on_error
        self._keep_alive_s = keep_alive_s
        self._send_timeout_s = send_timeout_s
        self._max_buffered_bytes = max_buffered_bytes
        self._written: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._n_buffered_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the frames end, or the client disconnects or stops reading."""
        try:
            await cancel_on_disconnect(receive, self._respond(send))
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
        """Write every frame. Nothing is awaited outside the generator, so a cancellation is always raised inside it."""
        try:
            async with aclosing(self._frames) as frames:
                async for text in frames:
                    frame = text.encode()
                    self._n_buffered_bytes += len(frame)
                    if self._n_buffered_bytes > self._max_buffered_bytes:
                        raise ClientGone
                    self._written.put_nowait(frame)
        finally:
            self._written.put_nowait(None)

    async def _next(self) -> bytes | None:
        """What to send next: a frame, a ping if the stream is idle, None at the end."""
        try:
            async with asyncio.timeout(self._keep_alive_s):
                frame = await self._written.get()
        except TimeoutError:
            return PING.encode()
        self._n_buffered_bytes -= len(frame or b"")
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
