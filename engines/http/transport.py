"""Many connections for httpx, each in a pool of its own.

httpcore (1.0) looks at all connections of a pool, and for each idle one at all of them again, whenever a request starts or
ends. With some dozens under way that costs more than the requests themselves.
"""

import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

IDLE_S = 4.0
"""Many servers close a connection that was idle for 5 seconds: not just when it is used again."""


class Lanes(httpx.AsyncBaseTransport):
    """A transport that gives each request a lane of its own while it is under way. Lanes are used again, the last one first."""

    def __init__(self) -> None:
        self._trusted = httpx.create_ssl_context(trust_env=False)
        self._free: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it and return the head of the answer, whose end frees the lane."""
        while self._free and self._free[0][0] < time.monotonic() - IDLE_S:
            await self._free.popleft()[1].aclose()
        lane = self._free.pop()[1] if self._free else self._new()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            await self._leave(lane)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, lambda: self._leave(lane))
        return response

    async def aclose(self) -> None:
        """Close all lanes, those under way when they end."""
        self._closed = True
        while self._free:
            await self._free.pop()[1].aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_S)
        return httpx.AsyncHTTPTransport(verify=self._trusted, trust_env=False, limits=limits)

    async def _leave(self, lane: httpx.AsyncHTTPTransport) -> None:
        if self._closed:
            await lane.aclose()
        else:
            self._free.append((time.monotonic(), lane))


class _Body(httpx.AsyncByteStream):
    """``body``, followed by ``leave``."""

    def __init__(self, body: httpx.AsyncByteStream, leave: Callable[[], Awaitable[None]]) -> None:
        self._body = body
        self._leave = leave

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            await self._leave()
