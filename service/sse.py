"""Server-sent events: a response that ends its work when the client goes away and keeps a quiet connection open."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.disconnect import ClientGone, until_client_leaves

PING = ": ping\n\n"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class EventStream(Response):
    """Sends ``frames``, whole events or comments, as they come.

    Nothing is sent before the first frame, so an error until then is an ordinary HTTP error; ``on_error`` writes a later one
    into the stream. One task iterates the generator from beginning to end; it is cancelled when the client goes away.

    Args:
        frames: must not have been started.
        on_error: the last frames, for an exception.
        keep_alive_s: a comment goes out after so many quiet seconds.
        send_timeout_s: a client that takes nothing for so many seconds has gone away.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[str, None],
        on_error: Callable[[Exception], str],
        *,
        keep_alive_s: float = 10.0,
        send_timeout_s: float = 60.0,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._frames = frames
        self._on_error = on_error
        self._keep_alive_s = keep_alive_s
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the frames end, the client goes away or takes nothing any more."""
        try:
            await until_client_leaves(receive, self._respond(send))
        except ClientGone:
            return

    async def _respond(self, send: Send) -> None:
        frames: asyncio.Queue[str | None] = asyncio.Queue()
        iterating = asyncio.create_task(self._iterate(frames))
        try:
            first = await frames.get()
            if first is None:
                await iterating  # raises what came before the first frame
                first = ""
            async with asyncio.timeout(self._send_timeout_s):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            frame: str | None = first
            while frame is not None:
                await self._send(send, frame)
                frame = await self._next(frames)
            try:
                await iterating
            except Exception as error:
                await self._send(send, self._on_error(error))
            await send({"type": "http.response.body", "body": b""})
        except (OSError, TimeoutError):
            raise ClientGone from None
        finally:
            iterating.cancel()
            await asyncio.gather(iterating, return_exceptions=True)

    async def _iterate(self, frames: "asyncio.Queue[str | None]") -> None:
        try:
            async with aclosing(self._frames) as generator:
                async for frame in generator:
                    frames.put_nowait(frame)
        finally:
            frames.put_nowait(None)

    async def _next(self, frames: "asyncio.Queue[str | None]") -> str | None:
        try:
            async with asyncio.timeout(self._keep_alive_s):
                return await frames.get()
        except TimeoutError:
            return PING

    async def _send(self, send: Send, frame: str) -> None:
        async with asyncio.timeout(self._send_timeout_s):
            await send({"type": "http.response.body", "body": frame.encode(), "more_body": True})
