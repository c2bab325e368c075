"""One attempt at a request to one server; the response is limited in bytes and read as JSON or as server-sent events."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from epf.core.errors import SearchServiceError
from epf.engines.http.errors import RetryableError, UpstreamRejected

MAX_RESPONSE_BYTES = 4 * 2**20
PROBE_TIMEOUT_S = 2.0
RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
IDLE_S = 4.0
"""Many servers close a connection after 5 idle seconds; close ours first, rather than send a request into a closing one."""

DONE = b"[DONE]"


class Connections:
    """Connections to all servers of one model.

    Only connecting has a timeout; callers limit the rest. A cancelled call closes its connection. Connections use HTTP/1.1,
    which HTTP/2 servers speak too: over HTTP/2, httpcore (1.0) does not notify the server of an abandoned stream, and the
    server would generate to the end.

    Args:
        error: raised for a response that is too long.
        owner: the model in words, for messages: "the reward model".
        api_key: sent as a bearer token.
    """

    def __init__(self, error: type[SearchServiceError], owner: str, api_key: str | None) -> None:
        self._error = error
        self._owner = owner
        self._client = httpx.AsyncClient(
            # No compression: a few bytes could expand to a great many.
            headers={"accept-encoding": "identity"} | ({"authorization": f"Bearer {api_key}"} if api_key else {}),
            timeout=httpx.Timeout(None, connect=5.0),
            transport=PerRequestTransport(),
            follow_redirects=False,
            trust_env=False,
        )

    async def json(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the response, a JSON object."""
        async with self._response(method, url, body, MAX_RESPONSE_BYTES) as chunks:
            answer = _json_object(b"".join([chunk async for chunk in chunks]))
        if answer is None:
            raise RetryableError("the response is not a JSON object")
        return answer

    @asynccontextmanager
    async def events(self, url: str, body: dict[str, Any], max_bytes: int) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Events of the response to a POST. Leaving the block before their end closes the connection."""
        async with self._response("POST", url, body, max_bytes) as chunks, aclosing(events_of(chunks)) as events:
            yield events

    async def status(self, url: str) -> int | None:
        """Return the status of a GET, None if the server is unreachable or too slow."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._client.stream("GET", url) as response:
                return response.status_code
        except (TimeoutError, httpx.TransportError):
            return None

    async def aclose(self) -> None:
        """Close all connections; calls under way fail."""
        await self._client.aclose()

    @asynccontextmanager
    async def _response(
        self, method: str, url: str, body: dict[str, Any] | None, max_bytes: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Bytes of a response with status 200.

        Raises:
            RetryableError: the server is unreachable, or the status is a temporary one.
            UpstreamRejected: any other status.
        """
        try:
            async with self._client.stream(method, url, json=body) as response:
                if response.status_code in RETRYABLE_STATUSES:
                    raise RetryableError(f"status {response.status_code}", _seconds(response.headers.get("retry-after")))
                async with aclosing(self._bounded(response, max_bytes)) as chunks:
                    if response.status_code != 200:
                        error = (_json_object(b"".join([chunk async for chunk in chunks])) or {}).get("error")
                        raise UpstreamRejected(response.status_code, error if isinstance(error, dict) else {})
                    yield chunks
        except httpx.TransportError as error:
            raise RetryableError(f"connection failed ({type(error).__name__})", unreachable=True) from error

    async def _bounded(self, response: httpx.Response, max_bytes: int) -> AsyncGenerator[bytes, None]:
        n_bytes = 0
        async for chunk in response.aiter_raw():
            n_bytes += len(chunk)
            if n_bytes > max_bytes:
                raise self._error(f"The server of {self._owner} sent more than {max_bytes} bytes.")
            yield chunk


class PerRequestTransport(httpx.AsyncBaseTransport):
    """Gives each request a transport of its own while it is under way. Idle transports are reused, the latest first.

    httpcore (1.0) scans all connections of a pool, and for each idle one all of them again, whenever a request starts or ends.
    With a few dozen requests under way, that costs more than the requests themselves.
    """

    def __init__(self) -> None:
        self._ssl_context = httpx.create_ssl_context(trust_env=False)
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the head of the response; its end releases the transport."""
        while self._idle and self._idle[0][0] < time.monotonic() - IDLE_S:
            await self._idle.popleft()[1].aclose()
        transport = self._idle.pop()[1] if self._idle else self._new()
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            await self._release(transport)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, lambda: self._release(transport))
        return response

    async def aclose(self) -> None:
        """Close idle transports now, and the others at the end of their requests."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[1].aclose()

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


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """Parse server-sent events as OpenAI-compatible servers write them: one line of JSON each, the last one ``[DONE]``.

    Comments, which only keep a connection open, are skipped. Only line feeds end a line, since text within JSON may contain
    characters that Unicode counts as line ends.

    Raises:
        RetryableError: the stream ends before ``[DONE]``, an event is not a JSON object, or it reports a server failure.
        UpstreamRejected: an event reports that the request is wrong.
    """
    pending, done = bytearray(), False
    async for chunk in chunks:
        pending += chunk
        if b"\n" not in chunk:  # do not scan a long line again and again
            continue
        *lines, pending = pending.split(b"\n")
        for line in lines:
            name, _, data = line.partition(b":")
            if name != b"data" or done:
                continue
            if data.strip() == DONE:
                done = True  # the rest is still read, or the connection could not be reused
            else:
                yield _event(data)
    if not done:
        raise RetryableError("the stream broke off", unreachable=True)


def _event(data: bytes | bytearray) -> dict[str, Any]:
    event = _json_object(data)
    if event is None:
        raise RetryableError("an event of the stream is not a JSON object")
    if (error := event.get("error")) is not None:
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 500:
            raise UpstreamRejected(code, error)
        raise RetryableError("the server reported a failure within the stream")
    return event


def _json_object(content: bytes | bytearray) -> dict[str, Any] | None:
    """Parse a JSON object; None for anything else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _seconds(retry_after: str | None) -> float:
    try:
        return max(float(retry_after or 0), 0.0)
    except ValueError:
        return 0.0
