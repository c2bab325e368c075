"""Admission control: which requests run, wait in the queue, or are refused, counted in particles.

A request runs immediately if it fits. Otherwise it is queued if the queue has space, and refused if not. This is decided on
arrival, so no request waits for a refusal.

Callers share the server fairly, whatever the number and size of their requests, by start-time fair queueing (Goyal, Vin and
Cheng, 1996) with particles in place of bytes. A caller's **start tag** is the number of particles that it has been granted,
counted from the virtual time at which it arrived. Its oldest queued request covers the particles from the start tag to the
finish tag, the start tag plus the size of the request.

1. Requests of one caller are granted in the order of their arrival.
2. Among callers the lowest start tag goes first, and among equal start tags the request that arrived first.
3. While a request does not fit, later ones may overtake it, since the free capacity would be idle otherwise. They may do so
   only while their start tag is below its finish tag. After that, free capacity is reserved for it.

Between two callers that always have requests in the queue, the particles granted therefore differ by less than four of the
largest requests, and a caller that overtakes a large request is granted at most the size of that request and one request more.
What counts is the number of particles granted, not for how long, which is unknown in advance.

An operation examines the first request of each queued caller, and no others.
"""

import asyncio
import itertools
import math
import time
from bisect import insort
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from epf.core.errors import InvalidRequest, Overloaded, RateLimited
from epf.service.settings import Settings

MIN_RETRY_S, MAX_RETRY_S = 1, 120
"""Bounds of the retry time in a refusal; clients treat a longer time as a final refusal."""
INITIAL_HOLD_S = 5.0
"""Estimated time for which a request holds its capacity, before any has been measured."""
SMOOTHING = 0.2
"""Weight of the newest request in the moving average of that time."""


class Ticket(Protocol):
    """The capacity of one request, granted or queued."""

    async def granted(self) -> None:
        """Wait until the capacity is granted; returns immediately once it is."""

    def release(self) -> None:
        """Give the capacity back, also while queued. A second call has no effect."""


class Admission(Protocol):
    """Decides on requests without waiting."""

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """A ticket that is granted or queued. Raises ``RateLimited`` (the caller's own limit) or ``Overloaded``."""


@dataclass(eq=False, slots=True)
class _Caller:
    """The requests of one caller; ``queue`` is in order of arrival."""

    name: str
    start_tag: int = 0
    n_running: int = 0
    n_waiting: int = 0
    queue: "OrderedDict[_Request, None]" = field(default_factory=OrderedDict)

    @property
    def first(self) -> "_Request":
        """The oldest queued request."""
        return next(iter(self.queue))


@dataclass(eq=False, slots=True)
class _Request:
    """A ticket; ``since_s`` is the time at which it was granted."""

    admission: "FairAdmission"
    caller: _Caller
    n_particles: int
    number: int
    state: Literal["queued", "running", "released"] = "queued"
    since_s: float = 0.0
    may_run: asyncio.Event = field(default_factory=asyncio.Event)

    async def granted(self) -> None:
        await self.may_run.wait()

    def release(self) -> None:
        self.admission.release(self)


class FairAdmission:
    """The rules above, for one event loop.

    Args:
        max_running, max_waiting: maximum number of running and of queued particles, over all callers.
        max_per_caller: maximum number of particles of one caller, running and queued.
        clock: returns monotonic seconds.

    Attributes:
        n_running, n_waiting: current number of running and of queued particles.
    """

    def __init__(
        self, *, max_running: int, max_waiting: int, max_per_caller: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.n_running = 0
        self.n_waiting = 0
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._max_per_caller = max_per_caller
        self._clock = clock
        self._callers: dict[str, _Caller] = {}
        self._queued: list[_Caller] = []  # callers with queued requests, by rank
        self._virtual_time = 0  # the start tag of a new caller
        self._numbers = itertools.count()
        self._hold_s = INITIAL_HOLD_S

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """A ticket that is granted or queued.

        Raises:
            InvalidRequest: more particles than could ever run.
            RateLimited: the caller would exceed its own limit.
            Overloaded: the request fits neither now nor into the queue.
        """
        limit = min(self._max_running, self._max_per_caller)
        if n_particles > limit:
            message = f"a request may have at most {limit} particles on this server, got {n_particles}"
            raise InvalidRequest(f"{message}: lower n_particles", param="n_particles")
        who = self._callers.setdefault(caller, _Caller(caller))
        n_over = who.n_running + who.n_waiting + n_particles - self._max_per_caller
        if n_over > 0:
            message = f"a caller may have at most {self._max_per_caller} particles running and queued: wait for yours to finish"
            raise RateLimited(message, retry_after_s=self._time_for(n_over, who.n_running))
        request = _Request(self, who, n_particles, next(self._numbers))
        self._queue(request)
        self._admit()
        if request.state == "queued" and self.n_waiting > self._max_waiting:
            request.release()
            n_over = self.n_running + self.n_waiting + n_particles - self._max_running - self._max_waiting
            raise Overloaded("the server is at capacity: try again later", retry_after_s=self._time_for(n_over, self.n_running))
        return request

    def release(self, request: _Request) -> None:
        """Remove a request, granted or not, and grant the requests that fit now."""
        who = request.caller
        if request.state == "released":
            return
        if request.state == "queued":
            self._unqueue(request)
        else:
            self.n_running -= request.n_particles
            who.n_running -= request.n_particles
            self._hold_s += SMOOTHING * (self._clock() - request.since_s - self._hold_s)
        request.state = "released"
        if not who.n_running and not who.n_waiting:
            del self._callers[who.name]
        self._admit()

    def _admit(self) -> None:
        while self.n_running < self._max_running and (request := self._next()) is not None:
            who = request.caller
            begin, overtakes = who.start_tag, who is not self._queued[0]
            self._unqueue(request, request.n_particles)
            # An overtaking request advances the virtual time too: otherwise new callers could overtake for ever.
            self._virtual_time = max(self._virtual_time, who.start_tag if overtakes else begin)
            self.n_running += request.n_particles
            who.n_running += request.n_particles
            request.state, request.since_s = "running", self._clock()
            request.may_run.set()

    def _next(self) -> _Request | None:
        """The first request that fits and may overtake all before it."""
        end: float = math.inf
        for who in self._queued:
            if who.start_tag >= end:
                break
            if self.n_running + who.first.n_particles <= self._max_running:
                return who.first
            end = min(end, who.start_tag + who.first.n_particles)
        return None

    def _queue(self, request: _Request) -> None:
        who = request.caller
        new = not who.queue
        who.queue[request] = None
        who.n_waiting += request.n_particles
        self.n_waiting += request.n_particles
        if new:
            who.start_tag = max(who.start_tag, self._virtual_time)
            insort(self._queued, who, key=_rank)

    def _unqueue(self, request: _Request, n_given: int = 0) -> None:
        who = request.caller
        self._queued.remove(who)
        who.start_tag += n_given
        del who.queue[request]
        who.n_waiting -= request.n_particles
        self.n_waiting -= request.n_particles
        if who.queue:
            insort(self._queued, who, key=_rank)

    def _time_for(self, n_particles: int, n_running: int) -> float:
        """Estimated whole seconds until ``n_particles`` of ``n_running`` are released, at the current rate."""
        return min(max(math.ceil(max(n_particles, 1) * self._hold_s / max(n_running, 1)), MIN_RETRY_S), MAX_RETRY_S)


def admission_of(settings: Settings) -> FairAdmission:
    """Admission as configured. Raises ``InvalidRequest`` if the limit of a request exceeds the capacity."""
    for name in ("max_particles_in_flight", "max_particles_per_key"):
        capacity = getattr(settings, name)
        if settings.max_particles > capacity:
            message = f"max_particles is {settings.max_particles}, more than {name}, which is {capacity}"
            raise InvalidRequest(f"{message}: lower EPF_MAX_PARTICLES or raise EPF_{name.upper()}", param="max_particles")
    return FairAdmission(
        max_running=settings.max_particles_in_flight,
        max_waiting=settings.max_particles_queued,
        max_per_caller=settings.max_particles_per_key,
    )


def _rank(caller: _Caller) -> tuple[int, int]:
    """The order in which callers are served."""
    return caller.start_tag, caller.first.number
