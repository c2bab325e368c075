"""JSON over HTTP to servers that the operator named: bounded in time, tries and bytes.

Scoring is idempotent, so a try that failed is repeated, on the next replica where there is one, after a pause with jitter. A
budget for all calls together keeps retries from multiplying the load of a server that is already in trouble: each call earns a
tenth of a retry. Requests of one problem go to one replica while it works, so that its prefix cache stays warm.
"""

import asyncio
import json
import logging
import math
import random
import time
import zlib
from collections.abc import Sequence
from typing import Any

import httpx

from errors import SearchServiceError

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 4 * 2**20
N_TRIES = 4
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LEFT_OUT_S = 5.0
"""A replica that could not be reached is asked last for so long."""
READY_WITHIN_S = 3.0
RETRY_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
EARNED_RETRIES = 0.1
SAVED_RETRIES = 10.0


class Refused(Exception):
    """The server answered with a status that a further try would not change."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.error = error


class _Failed(Exception):
    """One try failed; ``after_s`` is the server's own wish for the next."""

    def __init__(self, reason: str, after_s: float = 0.0, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.unreachable = unreachable


class Upstream:
    """Replicas of one server.

    Args:
        urls: base addresses, at least one; each path is appended.
        error: raised when no try was answered; its message tells of ``whose`` server.
        whose: "the reward model" or the like.
        api_key: sent as bearer token.
        timeout_s: of one try, from the first byte sent to the last byte received.
    """

    def __init__(
        self,
        urls: Sequence[str],
        error: type[SearchServiceError],
        whose: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
            raise ValueError(f"the URLs of {whose} must be at least one, each with http:// or https://")
        self._error = error
        self._whose = whose
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(timeout_s, connect=5.0),
            limits=httpx.Limits(max_connections=512, max_keepalive_connections=128),
            follow_redirects=False,
            trust_env=False,
        )
        self._left_out_until = dict.fromkeys(self._urls, 0.0)
        self._retries = SAVED_RETRIES
        self._random = random.Random()

    async def post(self, path: str, body: dict[str, Any], *, affinity: str = "") -> dict[str, Any]:
        """The answer to ``body``; calls with the same ``affinity`` go to the same replica while it can be reached.

        Raises:
            Refused: a client error.
            SearchServiceError: of the class given; no try was answered with JSON.
        """
        return await self._call("POST", path, body, affinity)

    async def get(self, path: str) -> dict[str, Any]:
        """As :meth:`post`, without a body."""
        return await self._call("GET", path, None, "")

    async def ready(self, path: str) -> None:
        """All replicas are asked at the same time and once. Raises ``RewardModelError`` unless one answers with status 200."""
        probes = [asyncio.create_task(self._is_ready(url + path)) for url in self._urls]
        try:
            for answered in asyncio.as_completed(probes):
                if await answered:
                    return
        finally:
            for probe in probes:
                probe.cancel()
            await asyncio.gather(*probes, return_exceptions=True)
        raise RewardModelError("no replica of the reward model's server is ready")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, method: str, path: str, body: dict[str, Any] | None, affinity: str) -> dict[str, Any]:
        self._retries = min(self._retries + EARNED_RETRIES, SAVED_RETRIES)
        replicas = self._replicas(affinity)
        for n in range(N_TRIES):
            url = replicas[n % len(replicas)]
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._try(method, url + path, body)
            except (_Failed, TimeoutError, httpx.TransportError) as error:
                failed = _as_failed(error)
            if failed.unreachable:
                self._left_out_until[url] = time.monotonic() + LEFT_OUT_S
            logger.warning("replica %d of %s failed: %s", self._urls.index(url), self._whose, failed)
            if n + 1 == N_TRIES or self._retries < 1:
                break
            self._retries -= 1
            pause_s = min(FIRST_PAUSE_S * 2**n, LONGEST_PAUSE_S) * self._random.random()
            await asyncio.sleep(max(pause_s, min(failed.after_s, LONGEST_PAUSE_S)))
        raise self._error(f"{self._whose}'s server failed: {failed} (after {n + 1} tries)")

    async def _is_ready(self, url: str) -> bool:
        try:
            async with asyncio.timeout(READY_WITHIN_S), self._client.stream("GET", url) as response:
                return response.status_code == 200
        except (TimeoutError, httpx.TransportError):
            return False

    def _replicas(self, affinity: str) -> list[str]:
        """In the order in which they are asked."""
        first = zlib.crc32(affinity.encode(errors="replace")) % len(self._urls)
        now = time.monotonic()
        return sorted((*self._urls[first:], *self._urls[:first]), key=lambda url: self._left_out_until[url] > now)

    async def _try(self, method: str, url: str, body: dict[str, Any] | None) -> dict[str, Any]:
        async with self._client.stream(method, url, json=body) as response:
            if response.status_code in RETRY_STATUSES:
                raise _Failed(f"status {response.status_code}", _seconds(response.headers.get("retry-after")))
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise self._error(f"{self._whose}'s server answered with over {MAX_ANSWER_BYTES} bytes")
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if response.status_code != 200:
            error = answer.get("error") if isinstance(answer, dict) else None
            raise Refused(response.status_code, error if isinstance(error, dict) else {})
        if not isinstance(answer, dict):
            raise _Failed("the answer is no JSON object")
        return answer


def is_number(value: object) -> bool:
    """Whether JSON gave a finite number."""
    return isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)


def _as_failed(error: Exception) -> _Failed:
    if isinstance(error, _Failed):
        return error
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return _Failed("no answer in time", unreachable=True)
    return _Failed(f"connection failed ({type(error).__name__})", unreachable=True)


def _seconds(retry_after: str | None) -> float:
    try:
        return max(float(retry_after or 0), 0.0)
    except ValueError:
        return 0.0
