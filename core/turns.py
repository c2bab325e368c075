"""Short pieces of work on the event loop, so shared out over its turns that nothing else waits long.

A piece of some milliseconds does no harm. A hundred of them that are due at the same time do: the loop would run them all
before it looks at its sockets again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

TURN_S: Final = 0.005
"""Time for such work in one turn. A piece that has begun is finished."""


class Turns:
    """The turns of one event loop, and the work that waits for the next.

    New work comes first, in the order of its arrival. Work that goes on with itself gets the rest of each turn, and at least
    one piece, so that neither keeps the other waiting for long.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._next_turn = loop.call_soon
        self._new: deque[Callable[[], object]] = deque()
        self._going_on: deque[Callable[[], object]] = deque()
        self._spent_s = 0.0
        self._counting = False

    def do(self, work: Callable[[], object]) -> None:
        """Do ``work``, which must not raise, now or in a later turn."""
        if self.is_over:
            self._new.append(work)
        else:
            self._spend(work)

    def do_later(self, work: Callable[[], object]) -> None:
        """Do ``work``, which must not raise, after new work. Only work calls this, to go on with itself."""
        self._going_on.append(work)

    @property
    def is_over(self) -> bool:
        """Whether new work has to wait, because it has no time in this turn or because other new work is waiting."""
        return self._spent_s >= TURN_S or bool(self._new)

    def _spend(self, work: Callable[[], object]) -> None:
        if not self._counting:
            self._counting = True
            self._next_turn(self._begin)
        begun_s = time.perf_counter()
        work()
        self._spent_s += time.perf_counter() - begun_s

    def _begin(self) -> None:
        self._spent_s = 0.0
        self._counting = False
        while self._new and self._spent_s < TURN_S:
            self._spend(self._new.popleft())
        for _ in range(len(self._going_on)):
            self._spend(self._going_on.popleft())
            if self.is_over:
                break


_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns() -> Turns:
    """The turns of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _TURNS.get(loop)
    if found is None:
        found = _TURNS[loop] = Turns(loop)
    return found


async def in_turn(work: Callable[[], T]) -> T:
    """Return ``work()``, which is done on the event loop, in this turn or a later one."""
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def do() -> None:
        if done.cancelled():
            return
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    turns().do(partial(copy_context().run, do))
    return await done
