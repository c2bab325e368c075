"""Attempts at one call over equivalent servers (replicas): which of them is asked, when again, and when no more.

Whatever breaks off is requested again from the start: from the next replica if there is one, else after a backoff with jitter.
A retry budget shared by all calls keeps retries from multiplying the load on a server in trouble: each call adds a tenth of a
retry. Moving on from an unreachable replica costs no budget, since that replica does no work.

Requests with the same affinity go to the same replica while it responds, so that its prefix cache stays warm (rendezvous
hashing). One that cannot be reached, or that falls silent, is ejected until it responds again (:mod:`epf.engines.http.health`).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import TypeVar

from epf.core.errors import SearchServiceError
from epf.engines.http.errors import RetryableError
from epf.engines.http.health import Health, Replica, Watch
from epf.engines.http.wording import Wording

logger = logging.getLogger(__name__)

T = TypeVar("T")
Attempt = Callable[[str, asyncio.Timeout, Watch], Awaitable[T]]
"""One attempt at the replica with this URL; it may reschedule the timeout, and reports to the watch what it hears."""

MAX_ATTEMPTS = 4
INITIAL_BACKOFF_S = 0.2
MAX_BACKOFF_S = 5.0
RETRIES_PER_CALL = 0.1
MAX_RETRIES_SAVED = 64.0
"""Limit of the retry budget: about the number of calls that a large search has under way when something breaks."""


class Attempts:
    """Makes attempts at calls, whichever of the replicas fails.

    Args:
        health: the replicas.
        error: raised if all attempts at a call fail.
        wording: its words.
        timeout_s: timeout of one attempt in seconds.
    """

    def __init__(
        self,
        health: Health,
        error: type[SearchServiceError],
        wording: Wording,
        timeout_s: float,
    ) -> None:
        self._health = health
        self._error = error
        self._wording = wording
        self._timeout_s = timeout_s
        self._retries = MAX_RETRIES_SAVED
        self._random = random.Random()

    async def make(self, attempt: Attempt[T], affinity: str, private: Callable[[], Iterable[str]]) -> T:
        """Make attempts until one succeeds or no further one is allowed."""
        self._retries = min(self._retries + RETRIES_PER_CALL, MAX_RETRIES_SAVED)
        order = self._rendezvous_order(affinity)
        tried: list[Replica] = []
        while True:
            replica = min(order, key=lambda r: (r.ejected, tried.count(r)))
            tried.append(replica)
            try:
                return await self._one(attempt, replica)
            except RetryableError as error:
                failure = error
            self._record_failure(replica, failure, private)
            others = any(r not in tried and not r.ejected for r in order)
            if not await self._may_retry(failure, len(tried), others=others):
                message = self._wording.failed(replica.url, len(tried), str(failure), private())
                raise self._error(message, retryable=not failure.lasting)

    async def _one(self, attempt: Attempt[T], replica: Replica) -> T:
        try:
            async with asyncio.timeout(self._timeout_s) as timeout:
                watch = self._health.watch(replica, timeout)
                try:
                    result = await attempt(replica.url, timeout, watch)
                finally:
                    watch.close()
        except TimeoutError:
            said = "it fell silent" if watch.silent else f"no response within {self._timeout_s:g} seconds"
            raise RetryableError(said, unreachable=True) from None
        self._health.restore(replica)
        return result

    def _record_failure(self, replica: Replica, failure: RetryableError, private: Callable[[], Iterable[str]]) -> None:
        """Eject an unreachable replica. This is logged once, however many calls run into it."""
        if not (replica.ejected and failure.unreachable):
            logger.warning("replica %d: %s", replica.number, self._wording.log(replica.url, str(failure), private()))
        if failure.unreachable:
            self._health.eject(replica)

    async def _may_retry(self, failure: RetryableError, n_attempts: int, *, others: bool) -> bool:
        """Wait for the backoff unless attempts or budget are used up; ``others`` are reachable replicas not yet tried."""
        if n_attempts == MAX_ATTEMPTS:
            return False
        if others and failure.unreachable:
            return True
        if failure.lasting or self._retries < 1:
            return False
        self._retries -= 1
        backoff_s = min(INITIAL_BACKOFF_S * 2 ** (n_attempts - 1), MAX_BACKOFF_S) * self._random.random()
        await asyncio.sleep(backoff_s if others else max(backoff_s, min(failure.retry_after_s, MAX_BACKOFF_S)))
        return True

    def _rendezvous_order(self, affinity: str) -> list[Replica]:
        """Replicas in the order of preference of an affinity. The load of a lost replica spreads over all others."""

        def weight(replica: Replica) -> bytes:
            return blake2b(f"{replica.number} {affinity}".encode(errors="replace"), digest_size=8).digest()

        return sorted(self._health.replicas, key=weight)
