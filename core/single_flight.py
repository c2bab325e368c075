"""Concurrent calls for the same key share one computation (the single-flight pattern)."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from epf.core.bounded_cache import BoundedCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(eq=False, slots=True)
class _Flight(Generic[Value]):
    task: "asyncio.Task[Value]"
    n_waiting: int = 0


class SingleFlight(Generic[Key, Value]):
    """Runs at most one computation per key at a time; everyone who asks for the key meanwhile waits for it.

    An error is raised to everyone who waits and is not kept. When the last caller who waits for a computation is cancelled,
    the computation is cancelled as well, and that caller waits for its end.

    Args:
        kept: where results are kept; without it, they are not.
    """

    def __init__(self, kept: BoundedCache[Key, Value] | None = None) -> None:
        self._kept = kept
        self._flights: dict[Key, _Flight[Value]] = {}
        self._landing: set[asyncio.Task[Value]] = set()
        self._closed: Callable[[], Exception] | None = None

    async def get(self, key: Key, compute: Callable[[], Coroutine[Any, Any, Value]]) -> tuple[Value, bool]:
        """Return the value for ``key`` and whether this call computed it.

        Raises the error of ``compute``, or that of :meth:`aclose`.
        """
        self.check_open()
        if self._kept is not None and key in self._kept:
            return self._kept[key], False
        flight = self._flights.get(key)
        is_first = flight is None
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(compute()))
            flight.task.add_done_callback(lambda task: self._land(key, task))
        flight.n_waiting += 1
        try:
            return await asyncio.shield(flight.task), is_first
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self._closed is not None and current is not None and not current.cancelling():
                raise self._closed() from None
            if flight.n_waiting == 1 and self._flights.get(key) is flight and not flight.task.done():
                self._cancel(key, flight.task)
                await asyncio.wait([flight.task])
            raise
        finally:
            flight.n_waiting -= 1

    def check_open(self) -> None:
        """Raise the error of :meth:`aclose` if it was called."""
        if self._closed is not None:
            raise self._closed()

    async def aclose(self, error: Callable[[], Exception]) -> None:
        """Cancel all computations and wait for their end; open and later calls raise ``error()``."""
        self._closed = error
        for key, flight in list(self._flights.items()):
            self._cancel(key, flight.task)
        await asyncio.gather(*self._landing, return_exceptions=True)

    def _cancel(self, key: Key, task: "asyncio.Task[Value]") -> None:
        """Cancel a computation; the next call for its key starts a new one."""
        del self._flights[key]
        self._landing.add(task)
        task.cancel()

    def _land(self, key: Key, task: "asyncio.Task[Value]") -> None:
        """Runs before anyone who waits for ``task`` goes on."""
        self._landing.discard(task)
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if task.cancelled() or task.exception() is not None:  # asking for it marks it as retrieved if nobody waits any more
            return
        if self._kept is not None:
            self._kept[key] = task.result()
