"""Attempts at one call over equivalent servers (replicas): which of them is asked, when again, and when no more.

Whatever breaks off is requested again from the start: from the next replica if there is one, else after a backoff with jitter.
A retry budget shared by all calls keeps retries from multiplying the load on a server in trouble: each call adds a tenth of a
retry. Moving on from an unreachable replica costs no budget, since that replica does no work.

Requests with the same affinity go to the same replica while it responds, so that its prefix cache stays warm (rendezvous
hashing). One that cannot be reached, or that falls silent, is ejected until it responds again (:mod:`epf.engines.http.health`).

A server that has too many requests (429, or 503 with ``Retry-After``) is asked again until its caller's deadline, as late as it
asks for, where there is no other one.

A call that knows its caller's deadline (:mod:`epf.core.deadlines`) leaves a silent replica while there is time for another one:
the first of two gets half of the time. Without another one, a call of a server that hangs fails just before the deadline, so
that the caller learns why.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

from epf.core.deadlines import WorkDeadline, work_deadline
from epf.core.errors import SearchServiceError
from epf.engines.http.errors import RetryableError, UpstreamRejected
from epf.engines.http.health import LOADING_S, Health, Probe
from epf.engines.http.replica import Replica
from epf.engines.http.watch import Patience, Watch
from epf.engines.http.wording import Wording

logger = logging.getLogger(__name__)

T = TypeVar("T")
Attempt = Callable[[str, asyncio.Timeout, Watch], Awaitable[T]]
"""One attempt at the replica with this URL; it may reschedule the timeout, and reports to the watch what it hears."""

MAX_ATTEMPTS = 4
INITIAL_BACKOFF_S = 0.2
MAX_BACKOFF_S = 5.0
MAX_DOUBLINGS = 10
RETRIES_PER_CALL = 0.1
MAX_RETRIES_SAVED = 64.0
"""Limit of the retry budget: about the number of calls that a large search has under way when something breaks."""

MIN_SHARE_S = 1.0
"""Minimum time for one of several replicas to send the first byte."""
USUAL = 2.0
MAX_SHARE = 2 / 3
"""How many times the longest silence of late a replica may be silent, within this part of the time that is left."""
MARGIN = 0.1
MAX_MARGIN_S = 0.5
"""How long before its caller's deadline a call of a server that hangs fails: a tenth of the time left, at most this."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call.

    Attributes:
        attempt: makes an attempt at it.
        probe: makes the same request, without an effect.
        affinity: calls with the same one go to the same replica.
        private: texts that errors and logs do not repeat.
    """

    attempt: Attempt[T]
    probe: Probe
    affinity: str
    private: Callable[[], Iterable[str]]


class Attempts:
    """Makes attempts at calls, whichever of the replicas fails.

    Args:
        health: the replicas.
        error: raised if all attempts at a call fail.
        wording: its words.
        timeout_s: timeout of one attempt in seconds.
        reserve: part of the time until its caller's deadline that a call leaves, where no replica is well.
    """

    def __init__(
        self, health: Health, error: type[SearchServiceError], wording: Wording, timeout_s: float, reserve: float
    ) -> None:
        self._health = health
        self._error = error
        self._wording = wording
        self._timeout_s = timeout_s
        self._reserve = reserve
        self._retries = MAX_RETRIES_SAVED
        self._random = random.Random()

    async def make(self, call: Call[T]) -> T:
        """Make attempts until one succeeds or no further one is allowed."""
        self._retries = min(self._retries + RETRIES_PER_CALL, MAX_RETRIES_SAVED)
        order = self._rendezvous_order(call.affinity)
        deadline = work_deadline()
        loaded_by_s = asyncio.get_running_loop().time() + _before(deadline, LOADING_S)
        refused_until_s = None if deadline is None else self._patience(deadline).ill_s
        tried: list[Replica] = []
        n_refused = 0
        while True:
            replica = min(order, key=lambda r: (r.ejected, tried.count(r)))
            others = [r for r in order if r is not replica and r not in tried and not r.ejected]
            try:
                return await self._one(call, replica, len(others), deadline)
            except RetryableError as error:
                failure = error
            if failure.loading and not others and await self._loaded(replica, loaded_by_s):
                continue
            is_first = replica not in tried
            if is_first or not failure.is_refused:
                self._record_failure(replica, failure, call, is_first=is_first)
            tried.append(replica)
            others_left = any(r not in tried and not r.ejected for r in order)
            if failure.is_refused and not others_left and refused_until_s is not None:
                n_refused += 1
                again = await self._may_return(failure, n_refused, refused_until_s)
            else:
                again = await self._may_retry(failure, len(tried) - n_refused, others=others_left)
            if not again:
                message = self._wording.failed(replica.url, len(tried), str(failure), call.private())
                raised = self._error(message, retryable=not failure.lasting)
                raised.lost = failure.is_servers and not failure.lasting
                raise raised

    async def _one(self, call: Call[T], replica: Replica, n_others: int, deadline: WorkDeadline | None) -> T:
        limit_s = self._first_byte_s(n_others, deadline)
        patience = None if deadline is None else self._patience(deadline)
        try:
            async with asyncio.timeout(limit_s) as timeout:
                watch = self._health.watch(replica, timeout, patience)
                try:
                    result = await call.attempt(replica.url, timeout, watch)
                    watch.heard()
                except (UpstreamRejected, RetryableError) as error:
                    if not (isinstance(error, RetryableError) and error.unreachable):
                        watch.heard()
                    raise
                except asyncio.CancelledError:
                    if deadline is not None and watch.is_quiet:
                        deadline.waited_for = self._wording.waited(replica.url, watch.said)
                    raise
                finally:
                    watch.close()
        except TimeoutError:
            if watch.silent:
                until = "; it was waited for until the deadline" if watch.gave_up else ""
                raise RetryableError(watch.said + until, unreachable=True, final=watch.gave_up) from None
            waited_s = self._timeout_s if watch.has_heard else limit_s
            whole = waited_s == self._timeout_s
            if deadline is not None:
                deadline.waited_for = self._wording.waited(replica.url, watch.said)
            said = f"no response within {waited_s:.3g} seconds{', nor to a health check' * watch.is_ill}"
            # Without another replica, a server that hangs is not asked again; one that is busy may have become ready.
            raise RetryableError(said, unreachable=whole, final=whole and watch.is_ill and not n_others) from None
        self._health.succeeded(replica, call.probe)
        return result

    def _patience(self, deadline: WorkDeadline) -> Patience:
        now_s = asyncio.get_running_loop().time()
        last_s = now_s + _before(deadline, math.inf)
        return Patience(min(now_s + (1 - self._reserve) * deadline.remaining_s, last_s), last_s)

    def _first_byte_s(self, n_others: int, deadline: WorkDeadline | None) -> float:
        """Maximum wait for the first byte of an attempt while ``n_others`` further replicas can be asked."""
        if deadline is None or not n_others:
            return self._timeout_s
        usual_s = USUAL * (self._health.pace.longest_s(asyncio.get_running_loop().time()) or 0.0)
        share_s = max(deadline.remaining_s / (n_others + 1), min(usual_s, MAX_SHARE * deadline.remaining_s), MIN_SHARE_S)
        return min(share_s, self._timeout_s)

    async def _loaded(self, replica: Replica, by_s: float) -> bool:
        """Wait for a server that loads its model; False if that takes too long."""
        try:
            async with asyncio.timeout_at(by_s):
                await self._health.loaded(replica)
        except TimeoutError:
            return False
        return True

    def _record_failure(self, replica: Replica, failure: RetryableError, call: Call[T], *, is_first: bool) -> None:
        """Eject a replica that is unreachable or fails one call after the other. That is logged once."""
        was_ejected = replica.ejected
        said = str(failure)
        ejected = self._health.failed(
            replica,
            said,
            unreachable=failure.unreachable,
            counts=is_first and failure.is_servers,
            private=call.private(),
        )
        if not ejected and not was_ejected:
            logger.warning("replica %d: %s", replica.number, self._wording.log(replica.url, said, call.private()))

    async def _may_retry(self, failure: RetryableError, n_attempts: int, *, others: bool) -> bool:
        """Wait for the backoff unless attempts or budget are used up; ``others`` are reachable replicas not yet tried."""
        if n_attempts == MAX_ATTEMPTS or failure.final:
            return False
        if others and failure.unreachable:
            return True
        if failure.lasting or self._retries < 1:
            return False
        self._retries -= 1
        backoff_s = self._backoff_s(n_attempts)
        await asyncio.sleep(backoff_s if others else max(backoff_s, min(failure.retry_after_s, MAX_BACKOFF_S)))
        return True

    async def _may_return(self, failure: RetryableError, n_refused: int, until_s: float) -> bool:
        """Wait for as long as a server with too many requests asks for, unless that is too long.

        Neither the number of attempts nor the budget limits this: such an attempt is no work for the server.
        """
        wait_s = failure.retry_after_s + self._backoff_s(n_refused)
        if asyncio.get_running_loop().time() + wait_s >= until_s:
            return False
        await asyncio.sleep(wait_s)
        return True

    def _backoff_s(self, n_attempts: int) -> float:
        longest_s = INITIAL_BACKOFF_S * 2.0 ** min(n_attempts - 1, MAX_DOUBLINGS)
        return min(longest_s, MAX_BACKOFF_S) * self._random.random()

    def _rendezvous_order(self, affinity: str) -> list[Replica]:
        """Replicas in the order of preference of an affinity. The load of a lost replica spreads over all others."""

        def weight(replica: Replica) -> bytes:
            return blake2b(f"{replica.number} {affinity}".encode(errors="replace"), digest_size=8).digest()

        return sorted(self._health.replicas, key=weight)


def _before(deadline: WorkDeadline | None, limit_s: float) -> float:
    """Time until just before the deadline, at most ``limit_s``."""
    if deadline is None:
        return limit_s
    remaining_s = deadline.remaining_s
    return min(remaining_s - min(MARGIN * remaining_s, MAX_MARGIN_S), limit_s)
