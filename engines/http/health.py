"""Which of equivalent servers (replicas) respond: found out when a call meets silence, and remembered until they are back.

A server may be busy for minutes before it sends the first byte of a response, and a server that hangs never sends one; to the
call that waits they look alike. A call that has received nothing for a second therefore has the server's health checked, once
for all calls that wait: a busy server responds to that, and the call goes on waiting. A server that does not is ejected, and
its calls move to another replica if there is one. A call that is cancelled meanwhile leaves the check running, so the silence
that it met is not forgotten.

An ejected replica gets no calls while another one responds. Its health is checked every few seconds, apart from any call, until
it responds again (half-open).
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakSet

from epf.engines.http.connections import PROBE_TIMEOUT_S, Connections
from epf.engines.http.wording import Wording

logger = logging.getLogger(__name__)

QUIET_S = 1.0
"""Silence after which a server's health is checked; twice as long after each check that it passes."""
EJECTION_S = 5.0
"""Time between the health checks of an ejected replica."""


@dataclass(slots=True, eq=False)
class Replica:
    """One server. ``ejected`` is whether it did not respond when last asked; ``n_ejections`` counts how often that began."""

    number: int
    url: str
    ejected: bool = False
    n_ejections: int = 0


class Health:
    """The health of the replicas of one server, and the tasks that check it.

    Args:
        replicas: at least one.
        connections: connections to them.
        wording: words for the log.
    """

    def __init__(self, replicas: Sequence[Replica], connections: Connections, wording: Wording) -> None:
        self.replicas = tuple(replicas)
        self.owner = wording.owner
        self._connections = connections
        self._wording = wording
        self._checks: dict[Replica, asyncio.Task[bool]] = {}
        self._recoveries: dict[Replica, asyncio.Task[None]] = {}
        self._closed = False
        KNOWN.add(self)

    def eject(self, replica: Replica) -> None:
        """Send calls elsewhere until the replica responds to a health check."""
        if not replica.ejected:
            replica.ejected = True
            replica.n_ejections += 1
        if replica not in self._recoveries and not self._closed:
            self._recoveries[replica] = asyncio.create_task(self._recover(replica))

    def restore(self, replica: Replica) -> None:
        """Send calls to the replica, which has responded."""
        if replica.ejected:
            replica.ejected = False
            logger.warning("replica %d of %s is reachable again", replica.number, self.owner)

    def check(self, replica: Replica) -> "asyncio.Task[bool]":
        """Whether the replica responds, in a check that all callers share. It is ejected if it does not."""
        running = self._checks.get(replica)
        if running is None:
            running = self._checks[replica] = asyncio.create_task(self._check(replica))
            running.add_done_callback(lambda _: self._checks.pop(replica, None))
        return running

    def watch(self, replica: Replica, timeout: asyncio.Timeout) -> "Watch":
        """Watch an attempt at this replica; ``timeout`` is what ends the attempt."""
        return Watch(self, replica, timeout)

    def others(self, replica: Replica) -> bool:
        """Whether any other replica responds."""
        return any(other is not replica and not other.ejected for other in self.replicas)

    async def aclose(self) -> None:
        """End all checks."""
        self._closed = True
        KNOWN.discard(self)
        tasks = [*self._checks.values(), *self._recoveries.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self, replica: Replica) -> bool:
        if await self._responds(replica):
            return True
        if not replica.ejected:
            said = f"no response for {QUIET_S:g} seconds, nor to a health check within {PROBE_TIMEOUT_S:g}"
            logger.warning("replica %d: %s", replica.number, self._wording.log(replica.url, said))
        self.eject(replica)
        return False

    async def _recover(self, replica: Replica) -> None:
        """Check an ejected replica until it responds."""
        try:
            while replica.ejected:
                await asyncio.sleep(EJECTION_S)
                status = await self._connections.status(f"{replica.url}/health")
                if status is not None and status < 500:
                    self.restore(replica)
        finally:
            self._recoveries.pop(replica, None)

    async def _responds(self, replica: Replica) -> bool:
        """Whether the replica responds at all; an overloaded one may do so with any status."""
        return await self._connections.status(f"{replica.url}/health") is not None


KNOWN: WeakSet[Health] = WeakSet()
"""The health of all servers that this process calls, for its metrics."""


class Watch:
    """Ends an attempt whose server has become silent and does not respond to a health check, if another replica does.

    ``silent`` is whether it has ended the attempt.
    """

    def __init__(self, health: Health, replica: Replica, timeout: asyncio.Timeout) -> None:
        self._health = health
        self._replica = replica
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._quiet_s = QUIET_S
        self._heard_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False
        self.silent = False
        self._set_timer(QUIET_S)

    def heard(self) -> None:
        """Record that the server has sent something."""
        self._heard_s = self._loop.time()
        self._quiet_s = QUIET_S

    def close(self) -> None:
        """Stop watching, since the attempt has ended."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, after_s: float) -> None:
        self._timer = self._loop.call_later(after_s, self._look)

    def _look(self) -> None:
        remaining_s = self._heard_s + self._quiet_s - self._loop.time()
        if remaining_s > 0:
            self._set_timer(remaining_s)
            return
        self._health.check(self._replica).add_done_callback(self._checked)

    def _checked(self, check: "asyncio.Task[bool]") -> None:
        if self._over or check.cancelled():
            return
        with suppress(Exception):
            healthy = check.result()
            if not healthy and self._loop.time() - self._heard_s >= self._quiet_s and self._health.others(self._replica):
                self.silent = True
                self._timeout.reschedule(self._loop.time())
                return
            if healthy:
                self._quiet_s *= 2
        self._set_timer(self._quiet_s)
