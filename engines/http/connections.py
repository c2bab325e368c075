"""One try: a request to one server, its answer bounded in bytes and read as JSON or as events."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from epf.core.errors import SearchServiceError
from epf.engines.http.errors import RetryableError, UpstreamRejected
from epf.engines.http.sse import events_of, object_of
from epf.engines.http.transport import Lanes

MAX_ANSWER_BYTES = 4 * 2**20
LOOK_S = 2.0
"""Within so long a server that is well answers to being looked at."""
RETRY_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class Connections:
    """The connections to all servers of ``whose`` model; ``error`` is raised for answers that are too long.

    No call has a time limit but for connecting: callers set theirs. A cancelled call closes its connection. They are of
    HTTP/1.1, which servers of HTTP/2 speak too: there httpcore (1.0) would not tell the server that a stream was left, and that
    would go on to its end.
    """

    def __init__(self, error: type[SearchServiceError], whose: str, api_key: str | None) -> None:
        self._error = error
        self._whose = whose
        self._client = httpx.AsyncClient(
            # Unpacking would make many bytes of few.
            headers={"accept-encoding": "identity"} | ({"authorization": f"Bearer {api_key}"} if api_key else {}),
            timeout=httpx.Timeout(None, connect=5.0),
            transport=Lanes(),
            follow_redirects=False,
            trust_env=False,
        )

    async def json(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer, a JSON object."""
        async with self._answer(method, url, body, MAX_ANSWER_BYTES) as chunks:
            answer = object_of(b"".join([chunk async for chunk in chunks]))
        if answer is None:
            raise RetryableError("the answer is no JSON object")
        return answer

    @asynccontextmanager
    async def events(self, url: str, body: dict[str, Any], max_bytes: int) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Events of the answer to a POST. Leaving the block before their end closes the connection."""
        async with self._answer("POST", url, body, max_bytes) as chunks, aclosing(events_of(chunks)) as events:
            yield events

    async def status(self, url: str) -> int | None:
        """Status of what ``url`` answers, None if that takes too long or cannot be reached. Costs the server nothing."""
        try:
            async with asyncio.timeout(LOOK_S), self._client.stream("GET", url) as response:
                return response.status_code
        except (TimeoutError, httpx.TransportError):
            return None

    async def aclose(self) -> None:
        """Close all; calls under way fail."""
        await self._client.aclose()

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, body: dict[str, Any] | None, max_bytes: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Bytes of an answer with status 200.

        Raises:
            RetryableError: the server could not be reached, or a status that may pass.
            UpstreamRejected: any other status.
        """
        try:
            async with self._client.stream(method, url, json=body) as response:
                if response.status_code in RETRY_STATUSES:
                    raise RetryableError(f"status {response.status_code}", _seconds(response.headers.get("retry-after")))
                async with aclosing(self._bounded(response, max_bytes)) as chunks:
                    if response.status_code != 200:
                        error = (object_of(b"".join([chunk async for chunk in chunks])) or {}).get("error")
                        raise UpstreamRejected(response.status_code, error if isinstance(error, dict) else {})
                    yield chunks
        except httpx.TransportError as error:
            raise RetryableError(f"connection failed ({type(error).__name__})", unreachable=True) from error

    async def _bounded(self, response: httpx.Response, max_bytes: int) -> AsyncGenerator[bytes, None]:
        n_bytes = 0
        async for chunk in response.aiter_raw():
            n_bytes += len(chunk)
            if n_bytes > max_bytes:
                raise self._error(f"{self._whose}'s server answered with over {max_bytes} bytes")
            yield chunk


def _seconds(retry_after: str | None) -> float:
    try:
        return max(float(retry_after or 0), 0.0)
    except ValueError:
        return 0.0
