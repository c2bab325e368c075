"""Calls that ask for the same thing while it is under way share one."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from epf.core.errors import RewardModelError

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(eq=False, slots=True)
class _Call(Generic[Value]):
    task: "asyncio.Task[Value]"
    n_waiting: int = 0


class Shared(Generic[Key, Value]):
    """Runs one call per key at a time. A call ends early only when everyone who waits for it has been cancelled."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: dict[Key, _Call[Value]] = {}
        self._ending: set[asyncio.Task[Value]] = set()
        self._closed = False

    async def get(self, key: Key, make: Callable[[], Coroutine[Any, Any, Value]]) -> tuple[Value, bool]:
        """What ``make()`` returns for ``key``, and whether it was made for this caller (not joined).

        Raises:
            RewardModelError: closed, before or meanwhile; and whatever ``make()`` raises, to everyone who waits.
        """
        self.check_open()
        call = self._calls.get(key)
        made = call is None
        if call is None:
            call = self._calls[key] = _Call(asyncio.create_task(make()))
            call.task.add_done_callback(lambda task: self._forget(key, task))
        call.n_waiting += 1
        try:
            return await asyncio.shield(call.task), made
        except asyncio.CancelledError:
            if self._closed and call.task.cancelled():
                raise RewardModelError(f"reward model {self._name} was closed") from None
            raise
        finally:
            call.n_waiting -= 1
            if not call.n_waiting and not call.task.done():
                self._end(key, call.task)

    def check_open(self) -> None:
        """Raise ``RewardModelError`` if it is closed."""
        if self._closed:
            raise RewardModelError(f"reward model {self._name} is closed")

    async def aclose(self) -> None:
        """Fail open calls and wait for their end. A second call does nothing."""
        self._closed = True
        for key, call in list(self._calls.items()):
            self._end(key, call.task)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _end(self, key: Key, task: "asyncio.Task[Value]") -> None:
        """Cancel a call; whoever asks for the same from now on starts a new one."""
        del self._calls[key]
        self._ending.add(task)
        task.cancel()

    def _forget(self, key: Key, task: "asyncio.Task[Value]") -> None:
        self._ending.discard(task)
        call = self._calls.get(key)
        if call is not None and call.task is task:
            del self._calls[key]
        if not task.cancelled():
            task.exception()  # seen here, so that nobody is warned of one that no caller waited for
