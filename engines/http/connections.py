"""One attempt at a request to one server; the response is limited in bytes and read as JSON or as server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from epf.core import tracing
from epf.core.errors import SearchServiceError
from epf.core.sessions import session_headers
from epf.engines.http.address import is_azure
from epf.engines.http.causes import failure_of
from epf.engines.http.errors import NotJson, RetryableError, UpstreamRejected
from epf.engines.http.refusal import MAX_ERROR_BYTES, Refusal, read_refusal, refusal_of
from epf.engines.http.sse import events_of
from epf.engines.http.transport import PerRequestTransport
from epf.engines.http.wording import address

MAX_RESPONSE_BYTES = 4 * 2**20
PROBE_TIMEOUT_S = 2.0


class Connections:
    """Connections to all servers of one model.

    Only connecting has a timeout; callers limit the rest. A cancelled call closes its connection. Connections use HTTP/1.1,
    which HTTP/2 servers speak too: over HTTP/2, httpcore (1.0) does not notify the server of an abandoned stream, and the
    server would generate to the end.

    Args:
        error: raised for a response that is too long.
        owner: the model in words, for messages: "the reward model".
        api_key: sent as a bearer token, and to Azure as ``api-key`` too.
    """

    def __init__(self, error: type[SearchServiceError], owner: str, api_key: str | None) -> None:
        self._error = error
        self._azure = {"api-key": api_key} if api_key else {}
        self._owner = owner
        # No compression: a few bytes could expand to a great many.
        headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=5.0),
            transport=PerRequestTransport(),
            follow_redirects=False,
            trust_env=False,
        )

    async def json(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the response, a JSON object."""
        async with self._response(method, url, body, MAX_RESPONSE_BYTES) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        try:
            answer = json.loads(content.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise NotJson
        return _checked(answer, url)

    @asynccontextmanager
    async def events(
        self, url: str, body: dict[str, Any], max_bytes: int, lasting: Collection[int] = ()
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Events of the response to a POST. Leaving the block before their end closes the connection.

        Statuses in ``lasting`` count as a refusal that another attempt would not change.
        """
        async with (
            self._response("POST", url, body, max_bytes, lasting) as chunks,
            aclosing(checked_events(chunks, url)) as events,
        ):
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
        self, method: str, url: str, body: dict[str, Any] | None, max_bytes: int, lasting: Collection[int] = ()
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Bytes of a successful response.

        Raises:
            RetryableError: the server is unreachable, or the status is a temporary one.
            UpstreamRejected: any other status.
        """
        target = urlsplit(url)
        attributes: dict[str, tracing.Value] = {
            "http.request.method": method,
            "url.path": target.path,
            "server.address": target.hostname or "",
        }
        if target.port is not None:
            attributes["server.port"] = target.port
        try:
            with tracing.span(f"{method} {target.path}", attributes, "client") as span:
                headers = tracing.headers() | session_headers() | self._headers(url)
                async with self._client.stream(method, url, json=body, headers=headers) as response:
                    span.set({"http.response.status_code": response.status_code})
                    if not response.is_success:
                        refusal = read_refusal(response.status_code, await _start(response))
                        if response.is_redirect:
                            refusal = replace(refusal, words=f"it redirects to {address(response.headers.get('location', ''))}")
                        retry_after_s = _seconds(response.headers.get("retry-after"))
                        _raise(refusal, url, retry_after_s, lasting)
                    async with aclosing(self._bounded(response, max_bytes)) as chunks:
                        yield chunks
        except httpx.TransportError as error:
            raise failure_of(error) from error

    def _headers(self, url: str) -> dict[str, str]:
        """The header in which Azure's gateways expect the key, for them alone."""
        return self._azure if is_azure(urlsplit(url).hostname or "") else {}

    async def _bounded(self, response: httpx.Response, max_bytes: int) -> AsyncGenerator[bytes, None]:
        n_bytes = 0
        async for chunk in response.aiter_raw():
            n_bytes += len(chunk)
            if n_bytes > max_bytes:
                raise self._error(f"The server of {self._owner} sent more than {max_bytes} bytes.")
            yield chunk


async def _start(response: httpx.Response) -> bytes:
    """The first ``MAX_ERROR_BYTES`` of a response, or what arrives in time."""
    content = bytearray()
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > MAX_ERROR_BYTES:
                    break
    except (TimeoutError, httpx.TransportError):
        pass  # the status is known, and is all that counts if the server does not say more
    return bytes(content[:MAX_ERROR_BYTES])


def _raise(refusal: Refusal, url: str, retry_after_s: float = 0.0, lasting: Collection[int] = ()) -> None:
    if refusal.temporary and refusal.status not in lasting:
        said = f": {refusal.words}" if refusal.words else ""
        raise RetryableError(f"status {refusal.status}{said}", retry_after_s, status=refusal.status, loading=refusal.loading)
    raise UpstreamRejected(refusal, url)


async def checked_events(chunks: AsyncIterator[bytes], url: str) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of a response, and raise what an event reports as an error."""
    async with aclosing(events_of(chunks)) as events:
        async for event in events:
            yield _checked(event, url)


def _checked(answer: dict[str, Any], url: str) -> dict[str, Any]:
    """Return ``answer`` unless it reports an error, which servers also do with status 200."""
    error = answer.get("error")
    if not error and answer.get("object") != "error":
        return answer
    refusal = refusal_of(0, answer)
    status = int(refusal.code) if refusal.code.isdecimal() and len(refusal.code) == 3 else 0
    status = status or (400 if refusal_of(400, answer).too_long or refusal.kind == "invalid_request_error" else 500)
    _raise(refusal_of(status, answer), url)
    return answer


def _seconds(retry_after: str | None) -> float:
    try:
        return max(0.0, float(retry_after or 0))  # in this order, it makes 0 of "nan"
    except ValueError:
        return 0.0
