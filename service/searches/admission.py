"""Who may search now, who waits, and who is refused: counted in particles.

A request runs at once if it fits, else it waits if the queue has room, else it is refused; which of these is decided when it
comes, so nobody waits for a refusal.

Callers share the server alike, whatever the number and size of their requests: start-time fair queueing (Goyal, Vin and Cheng,
1996) with particles in place of bytes. A caller's **turn** is how many particles it has been given, counted from where the
others were when it came. Its oldest waiting request takes the particles from its turn to its turn plus the request's size.

1. Requests of one caller are granted in the order in which they came.
2. Among callers the least turn goes first, and of equal turns the request that came first.
3. One that does not fit is waited for, and others may pass it: else it would keep room empty that they could use. But they may
   only while their turn lies before the end of what it takes. When they have been given that much, room is kept for it.

So between two callers that both wait all the time, what they have been given never differs by as much as four of the largest
requests; and no caller is given more while it passes a large request than that one's size and one request more. It is what
is given that counts, not for how long, which nobody knows before.

An operation looks at the first request of each waiting caller, and at no others.
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

SOONEST_S, LATEST_S = 1, 120
"""Bounds of what a refused caller is told to wait; clients take a longer time for a refusal for good."""
FIRST_GUESS_S = 5.0
"""How long a request holds its room, before any has told."""
NEWEST = 0.2
"""Weight of the newest request in the mean of that time."""


class Ticket(Protocol):
    """One request's room."""

    async def granted(self) -> None:
        """Wait for the turn; returns at once when it has come."""

    def leave(self) -> None:
        """Give the room back, also while waiting; a second call does nothing."""


class Admission(Protocol):
    """Decides at once, without waiting."""

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """A ticket that is granted or queued. Raises ``RateLimited`` (the caller's own limit) or ``Overloaded``."""


@dataclass(eq=False, slots=True)
class _Caller:
    """What one caller has under way; ``waiting`` in the order of coming."""

    name: str
    turn: int = 0
    n_running: int = 0
    n_waiting: int = 0
    waiting: "OrderedDict[_Request, None]" = field(default_factory=OrderedDict)

    @property
    def first(self) -> "_Request":
        """The oldest that waits."""
        return next(iter(self.waiting))


@dataclass(eq=False, slots=True)
class _Request:
    """A ticket; ``since_s`` is when it was granted."""

    admission: "FairAdmission"
    caller: _Caller
    n_particles: int
    number: int
    state: Literal["waiting", "running", "left"] = "waiting"
    since_s: float = 0.0
    come: asyncio.Event = field(default_factory=asyncio.Event)

    async def granted(self) -> None:
        await self.come.wait()

    def leave(self) -> None:
        self.admission.leave(self)


class FairAdmission:
    """The rules above, on one event loop.

    Args:
        max_running, max_waiting: particles of all callers together.
        max_per_caller: particles of one caller, running and waiting.
        clock: monotonic seconds.

    Attributes:
        n_running, n_waiting: particles now.
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
        self._line: list[_Caller] = []  # those who wait, by rank
        self._turn = 0  # where a caller begins that comes anew
        self._numbers = itertools.count()
        self._held_s = FIRST_GUESS_S

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """A ticket that is granted or queued.

        Raises:
            InvalidRequest: more particles than could ever run.
            RateLimited: more than the caller may have under way.
            Overloaded: it does not fit, and neither does it into the queue.
        """
        limit = min(self._max_running, self._max_per_caller)
        if n_particles > limit:
            message = f"a request may have at most {limit} particles on this server, got {n_particles}"
            raise InvalidRequest(f"{message}: lower n_particles", param="n_particles")
        who = self._callers.setdefault(caller, _Caller(caller))
        n_over = who.n_running + who.n_waiting + n_particles - self._max_per_caller
        if n_over > 0:
            message = f"at most {self._max_per_caller} particles of one caller may be under way: wait for some of yours to end"
            raise RateLimited(message, retry_after_s=self._time_for(n_over, who.n_running))
        request = _Request(self, who, n_particles, next(self._numbers))
        self._queue(request)
        self._admit()
        if request.state == "waiting" and self.n_waiting > self._max_waiting:
            request.leave()
            n_over = self.n_running + self.n_waiting + n_particles - self._max_running - self._max_waiting
            raise Overloaded("the server is full: try again later", retry_after_s=self._time_for(n_over, self.n_running))
        return request

    def leave(self, request: _Request) -> None:
        """Take a request out, granted or not, and grant those that fit now."""
        who = request.caller
        if request.state == "left":
            return
        if request.state == "waiting":
            self._unqueue(request)
        else:
            self.n_running -= request.n_particles
            who.n_running -= request.n_particles
            self._held_s += NEWEST * (self._clock() - request.since_s - self._held_s)
        request.state = "left"
        if not who.n_running and not who.n_waiting:
            del self._callers[who.name]
        self._admit()

    def _admit(self) -> None:
        while self.n_running < self._max_running and (request := self._next()) is not None:
            who = request.caller
            begin, passes = who.turn, who is not self._line[0]
            self._unqueue(request, request.n_particles)
            # One that passes moves the beginning on too: otherwise callers that come anew could pass for ever.
            self._turn = max(self._turn, who.turn if passes else begin)
            self.n_running += request.n_particles
            who.n_running += request.n_particles
            request.state, request.since_s = "running", self._clock()
            request.come.set()

    def _next(self) -> _Request | None:
        """The first that fits and may pass all before it."""
        end: float = math.inf
        for who in self._line:
            if who.turn >= end:
                break
            if self.n_running + who.first.n_particles <= self._max_running:
                return who.first
            end = min(end, who.turn + who.first.n_particles)
        return None

    def _queue(self, request: _Request) -> None:
        who = request.caller
        new = not who.waiting
        who.waiting[request] = None
        who.n_waiting += request.n_particles
        self.n_waiting += request.n_particles
        if new:
            who.turn = max(who.turn, self._turn)
            insort(self._line, who, key=_rank)

    def _unqueue(self, request: _Request, n_given: int = 0) -> None:
        who = request.caller
        self._line.remove(who)
        who.turn += n_given
        del who.waiting[request]
        who.n_waiting -= request.n_particles
        self.n_waiting -= request.n_particles
        if who.waiting:
            insort(self._line, who, key=_rank)

    def _time_for(self, n_particles: int, n_running: int) -> float:
        """Whole seconds until so many particles have left, if so many that run keep leaving as they did."""
        return min(max(math.ceil(max(n_particles, 1) * self._held_s / max(n_running, 1)), SOONEST_S), LATEST_S)


def admission_of(settings: Settings) -> FairAdmission:
    """What the settings allow. Raises ``InvalidRequest`` where they promise a request more than they have room for."""
    for name in ("max_particles_in_flight", "max_particles_per_key"):
        room = getattr(settings, name)
        if settings.max_particles > room:
            message = f"max_particles is {settings.max_particles}, more than {name}, which is {room}"
            raise InvalidRequest(f"{message}: lower EPF_MAX_PARTICLES or raise EPF_{name.upper()}", param="max_particles")
    return FairAdmission(
        max_running=settings.max_particles_in_flight,
        max_waiting=settings.max_particles_queued,
        max_per_caller=settings.max_particles_per_key,
    )


def _rank(caller: _Caller) -> tuple[int, int]:
    """Callers are served in this order."""
    return caller.turn, caller.first.number
