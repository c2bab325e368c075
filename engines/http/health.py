"""Which of equivalent servers (replicas) respond: found out when a call meets silence, and remembered until they are back.

A server may be busy for minutes before it sends the first byte of a response, and a server that hangs never sends one; to the
call that waits they look alike. A call that has received nothing for a second therefore has the server's health checked, once
for all calls that wait. A server that does not respond to that is ejected. So is one that does respond, but has sent nothing
to any of its calls for much longer than servers of this model took of late (:mod:`epf.engines.http.silence`): a busy server
goes on with some of its calls. A call that is cancelled leaves the silence that it met as evidence.

Calls leave an ejected replica while another one responds; without another, they wait for it. It is checked every few seconds
until it responds again (half-open): its health, and if its health was not what failed, a request that it or another replica has
answered before, whose response nobody reads.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from contextvars import Context
from itertools import count
from typing import Any, TypeVar
from weakref import WeakSet

from epf.core.errors import SearchServiceError
from epf.engines.http.connections import PROBE_TIMEOUT_S, Connections
from epf.engines.http.errors import RetryableError, UpstreamRejected
from epf.engines.http.replica import Replica
from epf.engines.http.silence import Pace
from epf.engines.http.watch import Patience, Watch
from epf.engines.http.wording import Wording

logger = logging.getLogger(__name__)

T = TypeVar("T")
QUIET_S = 1.0
"""Silence after which a server's health is checked; twice as long after each check that it passes."""
EJECTION_S = 5.0
"""Time between the health checks of an ejected replica."""
LONGEST_EJECTION_S = 40.0
"""Maximum time between two requests that try whether a replica that failed its calls is well: twice as long each time."""
LOADING_S = 300.0
"""Maximum wait for a server that loads its model."""
LOADING_POLL_S = 1.0
"""Time between the health checks of a server that loads its model."""
MAX_FAILED_CALLS = 3
"""Calls in a row that a server may fail before it is ejected."""

Probe = Callable[[str, float], Awaitable[None]]
"""Sends a request to the replica with this URL and reads all of the response; gets the maximum wait between its parts, too."""


_SERIALS = count()


class Health:
    """The health of the replicas of one server, and the tasks that check it. ``serial`` orders those of a process by age.

    Args:
        replicas: at least one.
        connections: connections to them.
        wording: words for the log.
        timeout_s: maximum wait for a part of a response, in seconds.
    """

    def __init__(self, replicas: Sequence[Replica], connections: Connections, wording: Wording, timeout_s: float) -> None:
        self.serial = next(_SERIALS)
        self.replicas = tuple(replicas)
        self.owner = wording.owner
        self.pace = Pace()
        self._connections = connections
        self._wording = wording
        self._timeout_s = timeout_s
        self._example: Probe | None = None
        self._checks: dict[Replica, asyncio.Task[bool]] = {}
        self._recoveries: dict[Replica, asyncio.Task[None]] = {}
        self._loading: dict[Replica, asyncio.Task[None]] = {}
        self._closed = False
        KNOWN.add(self)

    def watch(self, replica: Replica, timeout: asyncio.Timeout, patience: Patience | None = None) -> Watch:
        """Watch an attempt at this replica; ``timeout`` is what ends the attempt.

        ``patience`` is when it ends although no other replica responds.
        """
        return Watch(self, replica, timeout, QUIET_S, patience)

    def eject(self, replica: Replica, reason: str, *, fails_calls: bool = False, private: Iterable[str] = ()) -> None:
        """Send calls elsewhere until the replica responds, and log why.

        ``fails_calls`` is whether it is well by its health checks. The log repeats no passage of ``private`` texts.
        """
        if not replica.ejected:
            replica.ejected = True
            replica.n_ejections += 1
            logger.warning("replica %d is ejected: %s", replica.number, self._wording.log(replica.url, reason, private))
        replica.reason = reason
        replica.fails_calls = replica.fails_calls or fails_calls
        if replica not in self._recoveries and not self._closed:
            self._recoveries[replica] = self._task(self._recover(replica))

    def restore(self, replica: Replica) -> None:
        """Send calls to the replica, which has responded."""
        if replica.ejected:
            replica.ejected = replica.fails_calls = False
            replica.silence.heard(self._now())
            logger.warning("replica %d of %s is reachable again", replica.number, self.owner)

    def succeeded(self, replica: Replica, probe: Probe) -> None:
        """Record that the replica has responded to a call; ``probe`` makes the same request again."""
        replica.n_failed = 0
        replica.unproven = False
        self._example = probe
        self.restore(replica)

    def failed(self, replica: Replica, reason: str, *, unreachable: bool, counts: bool, private: Iterable[str] = ()) -> bool:
        """Record that the replica failed a call, and return whether that ejects it.

        Args:
            replica: the server.
            reason: what it did, in words.
            unreachable: whether one such failure is enough.
            counts: whether several in a row are.
            private: texts that the log does not repeat.
        """
        replica.n_failed += counts
        many = replica.n_failed >= MAX_FAILED_CALLS
        if unreachable or many:
            # One that is ejected already has shown more of what is wrong.
            fails_calls = replica.unproven or not (unreachable or replica.ejected)
            self.eject(replica, reason, fails_calls=fails_calls, private=private)
        return unreachable or many

    def check(self, replica: Replica) -> "asyncio.Task[bool]":
        """Whether the replica responds, in a check that all callers share. It is ejected if it does not."""
        running = self._checks.get(replica)
        if running is None:
            running = self._checks[replica] = self._task(self._check(replica))
            running.add_done_callback(lambda _: self._checks.pop(replica, None))
        return running

    async def loaded(self, replica: Replica) -> None:
        """Wait until the health of a replica shows that it has loaded its model; callers share the checks and set a limit."""
        loading = self._loading.get(replica)
        if loading is None:
            logger.warning("replica %d of %s is loading its model: its calls wait", replica.number, self.owner)
            loading = self._loading[replica] = self._task(self._load(replica))
            loading.add_done_callback(lambda _: self._loading.pop(replica, None))
        await asyncio.shield(loading)

    def others(self, replica: Replica) -> bool:
        """Whether any other replica responds."""
        return any(other is not replica and not other.ejected for other in self.replicas)

    def stall_s(self) -> float:
        """Silence from which a replica has stalled, in seconds."""
        known = self.pace.stall_s(self._now())
        return self._timeout_s / 2 if known is None else min(known, self._timeout_s)

    async def aclose(self) -> None:
        """End all checks."""
        self._closed = True
        KNOWN.discard(self)
        tasks: list[asyncio.Task[bool] | asyncio.Task[None]] = [
            *self._checks.values(),
            *self._recoveries.values(),
            *self._loading.values(),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self, replica: Replica) -> bool:
        """An overloaded server may respond with any status, or to a call only: some do one thing at a time."""
        began_s = self._now()
        responds = await self._connections.status(f"{replica.url}/health") is not None
        silence_s = replica.silence.seconds(self._now())
        if not responds and replica.silence.heard_s >= began_s:
            return True
        if not responds:
            replica.ill_s = self._now()
            said = f"it responded to no call for {silence_s:.1f} seconds, nor to a health check within {PROBE_TIMEOUT_S:g}"
            self.eject(replica, said)
            return False
        if silence_s < self.stall_s():
            return True
        reason = f"it responds to health checks, but responded to no call for {silence_s:.1f} seconds"
        self.eject(replica, reason, fails_calls=True)
        return False

    async def _recover(self, replica: Replica) -> None:
        """Check an ejected replica until it responds."""
        pause_s = EJECTION_S
        try:
            while replica.ejected:
                await asyncio.sleep(pause_s)
                status = await self._connections.status(f"{replica.url}/health")
                if status is None or status >= 500:
                    pause_s = EJECTION_S
                elif replica.fails_calls and not await self._responds_to_call(replica):
                    pause_s = min(2 * pause_s, LONGEST_EJECTION_S)
                elif replica.ejected:
                    replica.unproven = not replica.fails_calls
                    replica.n_failed = 0
                    self.restore(replica)
        finally:
            self._recoveries.pop(replica, None)

    async def _responds_to_call(self, replica: Replica) -> bool:
        if self._example is None:
            return True  # no server has responded to any call yet, so a request to try it with is not known
        try:
            await self._example(replica.url, self.stall_s())
        except (TimeoutError, RetryableError, SearchServiceError):
            return False
        except UpstreamRejected:
            pass  # it works, though not for this request
        return True

    async def _load(self, replica: Replica) -> None:
        status: int | None = 503
        with suppress(TimeoutError):
            async with asyncio.timeout(LOADING_S):
                while status is not None and status >= 500:
                    await asyncio.sleep(LOADING_POLL_S)
                    status = await self._connections.status(f"{replica.url}/health")

    @staticmethod
    def _task(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Work that belongs to no caller, neither to its trace nor to its deadline."""
        return asyncio.get_running_loop().create_task(work, context=Context())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


KNOWN: WeakSet[Health] = WeakSet()
"""The health of all servers that this process calls, for its metrics."""
