"""The transport of an HTTP client that sends many requests at the same time."""

import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

logger = logging.getLogger(__name__)

IDLE_S = 4.0
"""Many servers close a connection after 5 idle seconds; close ours first, rather than send a request into a closing one."""

CLOSED_MEANWHILE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""What a request meets on a connection that the server has closed while it was idle. No byte of a response has arrived."""


class PerRequestTransport(httpx.AsyncBaseTransport):
    """Gives each request a transport of its own while it is under way. Idle transports are reused, the latest first.

    httpcore (1.0) scans all connections of a pool, and for each idle one all of them again, whenever a request starts or ends.
    With a few dozen requests under way, that costs more than the requests themselves.
    """

    def __init__(self) -> None:
        self._ssl_context = httpx.create_ssl_context()
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the head of the response; its end releases the transport.

        A request that meets a closed connection is sent once more, on a new one: all requests here are idempotent.
        """
        while self._idle and self._idle[0][0] < time.monotonic() - IDLE_S:
            await self._idle.popleft()[1].aclose()
        if self._idle:
            try:
                return await self._send(request, self._idle.pop()[1])
            except CLOSED_MEANWHILE:
                # Some servers promise to keep a connection and close it nevertheless: llama.cpp's does so after each stream.
                logger.debug("an idle connection was closed: sending the request on a new one")
        return await self._send(request, self._new())

    async def aclose(self) -> None:
        """Close idle transports now, and the others at the end of their requests."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[1].aclose()

    async def _send(self, request: httpx.Request, transport: httpx.AsyncHTTPTransport) -> httpx.Response:
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            await transport.aclose()  # kept, it would pass for one that was closed while it was idle
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, lambda: self._release(transport))
        return response

    def _new(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_S)
        return httpx.AsyncHTTPTransport(verify=self._ssl_context, trust_env=False, limits=limits)

    async def _release(self, transport: httpx.AsyncHTTPTransport) -> None:
        if self._closed:
            await transport.aclose()
        else:
            self._idle.append((time.monotonic(), transport))


class _Body(httpx.AsyncByteStream):
    """``body``, whose end calls ``release``."""

    def __init__(self, body: httpx.AsyncByteStream, release: Callable[[], Awaitable[None]]) -> None:
        self._body = body
        self._release = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            await self._release()
