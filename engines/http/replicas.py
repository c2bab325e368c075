"""Calls of equal servers that the operator named: bounded in time and tries, whichever of the servers fails.

What is asked is idempotent (a score; a step, given its prefix and seed), and nothing of a try that failed is kept. So whatever
breaks off, even within a stream, is asked again from the start: on the next replica where there is one, after a pause with
jitter where there is none. A budget for all calls together keeps repetitions from multiplying the load of a server that is in
trouble: each call earns a tenth of one. Moving on from a replica that could not be reached is free, for that one does no work.

Requests that belong together go to one replica while it can be reached, so that its prefix cache stays warm. One that cannot
be reached is left out; from time to time a single call first looks whether it is well again.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

from epf.core.errors import SearchServiceError
from epf.engines.http.connections import MAX_ANSWER_BYTES, Connections
from epf.engines.http.errors import RetryableError

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_IN_FLIGHT = 512
N_TRIES = 4
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LEFT_OUT_S = 5.0
"""A replica that could not be reached is left out for so long, and again after each look that finds it no better."""
EARNED_RETRIES = 0.1
UNKNOWN_STATUSES = frozenset({404, 405, 501})
"""What a server says of a path that it does not have."""
SAVED_RETRIES = 64.0
"""As many at once as a large search has calls under way when something breaks."""


@dataclass(slots=True, eq=False)
class _Replica:
    """One server; ``left_out_until_s`` is None while it can be reached."""

    number: int
    url: str
    left_out_until_s: float | None = None


class Upstream:
    """Replicas of one server.

    Args:
        urls: base addresses, at least one; each path is appended.
        error: raised when no try was answered; its message tells of ``whose`` server.
        whose: "the reward model" or the like.
        api_key: sent as bearer token.
        timeout_s: of one try, from the first byte sent to the last byte received, in a stream to the next event.
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
        self._replicas = tuple(_Replica(number, url.rstrip("/")) for number, url in enumerate(urls))
        self._error = error
        self._whose = whose
        self._timeout_s = timeout_s
        self._connections = Connections(error, whose, api_key)
        self._places = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._retries = SAVED_RETRIES
        self._random = random.Random()
        self._open: set[asyncio.Timeout] = set()
        self._all_left = asyncio.Event()
        self._closed = False

    async def post(self, path: str, body: dict[str, Any], *, affinity: str = "") -> dict[str, Any]:
        """The answer to ``body``; calls with the same ``affinity`` go to the same replica while it can be reached.

        Raises:
            UpstreamRejected: a client error.
            SearchServiceError: of the class given; no try was answered with JSON.
        """
        return await self._call(lambda url, _: self._connections.json("POST", url + path, body), affinity)

    async def get(self, path: str) -> dict[str, Any]:
        """As :meth:`post`, without a body."""
        return await self._call(lambda url, _: self._connections.json("GET", url + path), "")

    async def stream(
        self,
        path: str,
        body: dict[str, Any],
        read: Callable[[AsyncIterator[dict[str, Any]]], Awaitable[T]],
        *,
        affinity: str,
        deadline_s: float,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> T:
        """What ``read`` makes of the events of the answer to ``body``.

        A try that breaks off is forgotten, and ``read`` starts anew with the events of the next. Where ``read`` ends before the
        events do, or this call is cancelled, the connection is closed: by that servers see that nobody listens, and stop.

        ``deadline_s`` is for all tries together, ``max_bytes`` for one answer.
        """

        async def attempt(url: str, patience: asyncio.Timeout) -> T:
            async with (
                self._connections.events(url + path, body, max_bytes) as events,
                aclosing(self._patient(events, patience)) as patient,
            ):
                return await read(patient)

        return await self._call(attempt, affinity, deadline_s)

    async def ready(self, *paths: str) -> None:
        """Raise the error given unless a replica says that it is well: status 200 at the first of ``paths`` that it knows.

        All replicas are asked at the same time and once.
        """
        self._refuse_if_closed()
        asked = [asyncio.create_task(self._is_ready(replica.url, paths)) for replica in self._replicas]
        try:
            for answered in asyncio.as_completed(asked):
                if await answered:
                    return
        finally:
            for asking in asked:
                asking.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise self._error(f"no replica of {self._whose}'s server is ready")

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        self._closed = True
        self._all_left.clear()
        for call in self._open:
            if not call.expired():
                call.reschedule(0)
        if self._open:
            await self._all_left.wait()
        await self._connections.aclose()

    async def _call(
        self, attempt: Callable[[str, asyncio.Timeout], Awaitable[T]], affinity: str, deadline_s: float | None = None
    ) -> T:
        self._refuse_if_closed()
        try:
            async with asyncio.timeout(deadline_s) as call:
                self._open.add(call)
                try:
                    async with self._places:
                        return await self._try(attempt, affinity)
                finally:
                    self._open.discard(call)
                    if not self._open:
                        self._all_left.set()
        except TimeoutError:
            self._refuse_if_closed()
            raise self._error(f"{self._whose}'s server gave no whole answer within {deadline_s:g} seconds") from None

    async def _try(self, attempt: Callable[[str, asyncio.Timeout], Awaitable[T]], affinity: str) -> T:
        """As often as it may be worth it."""
        self._retries = min(self._retries + EARNED_RETRIES, SAVED_RETRIES)
        ranked = self._ranked(affinity)
        await self._look_at(ranked[0])
        tried: list[_Replica] = []
        while True:
            replica = min(ranked, key=lambda r: (r.left_out_until_s is not None, tried.count(r)))
            tried.append(replica)
            try:
                async with asyncio.timeout(self._timeout_s) as patience:
                    answer = await attempt(replica.url, patience)
                replica.left_out_until_s = None
                return answer
            except TimeoutError:
                failed = RetryableError("no answer in time", unreachable=True)
            except RetryableError as error:
                failed = error
            self._note(replica, failed)
            others = any(r not in tried and r.left_out_until_s is None for r in ranked)
            if not await self._may_go_on(failed, len(tried), others=others):
                raise self._error(f"{self._whose}'s server failed: {failed} (after {len(tried)} tries)")

    def _note(self, replica: _Replica, failed: RetryableError) -> None:
        """Leave out what cannot be reached. The log hears of that once, however many calls meet it."""
        if replica.left_out_until_s is None or not failed.unreachable:
            logger.warning("replica %d of %s failed: %s", replica.number, self._whose, failed)
        if failed.unreachable:
            replica.left_out_until_s = time.monotonic() + LEFT_OUT_S

    async def _may_go_on(self, failed: RetryableError, n_tried: int, *, others: bool) -> bool:
        """After the pause that is due, unless tries or budget are spent; ``others`` are well and were not yet asked."""
        if n_tried == N_TRIES:
            return False
        if others and failed.unreachable:
            return True
        if self._retries < 1:
            return False
        self._retries -= 1
        pause_s = min(FIRST_PAUSE_S * 2 ** (n_tried - 1), LONGEST_PAUSE_S) * self._random.random()
        await asyncio.sleep(pause_s if others else max(pause_s, min(failed.after_s, LONGEST_PAUSE_S)))
        return True

    def _ranked(self, affinity: str) -> list[_Replica]:
        """In the order in which they are asked. Each affinity has its own, so that what one replica loses spreads over all."""

        def draw(replica: _Replica) -> bytes:
            return blake2b(f"{replica.number} {affinity}".encode(errors="replace"), digest_size=8).digest()

        return sorted(self._replicas, key=draw)

    async def _look_at(self, replica: _Replica) -> None:
        """Take a replica back that is well again, once its time is over; other calls go elsewhere meanwhile."""
        if len(self._replicas) == 1 or replica.left_out_until_s is None or replica.left_out_until_s > time.monotonic():
            return
        replica.left_out_until_s, well = math.inf, False
        try:
            status = await self._connections.status(f"{replica.url}/health")
            well = status is not None and status < 500
        finally:
            replica.left_out_until_s = None if well else time.monotonic() + LEFT_OUT_S
        if well:
            logger.warning("replica %d of %s is well again", replica.number, self._whose)

    async def _is_ready(self, url: str, paths: Sequence[str]) -> bool:
        for path in paths:
            status = await self._connections.status(url + path)
            if status not in UNKNOWN_STATUSES:
                return status == 200
        return False

    async def _patient(self, events: AsyncIterator[T], patience: asyncio.Timeout) -> AsyncGenerator[T, None]:
        """``events``, each of which gives its try its time anew."""
        async for event in events:
            patience.reschedule(asyncio.get_running_loop().time() + self._timeout_s)
            yield event

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise self._error(f"the connection to {self._whose}'s server is closed")


def is_number(value: object) -> bool:
    """Whether JSON gave a finite number."""
    return isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)
