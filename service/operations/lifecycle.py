"""State of a server from start to shutdown. Long-running work registers here, and is ended from here."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Literal, Protocol

from epf.core.errors import Overloaded

State = Literal["STARTING", "HEALTHY", "UNHEALTHY", "DRAINING"]

RETRY_AFTER_S = 5.0
"""Estimated time until a server has started or recovered, or another one has taken its place."""

GRACE_S = 2.0
"""Time for work whose deadline has passed to group equal answers and to respond."""


def unavailable(state: State, why: str) -> Overloaded:
    """The refusal of work because of the server's state."""
    return Overloaded(f"{state}: {why}: try again later", retry_after_s=RETRY_AFTER_S)


class Model(Protocol):
    """A model that the server requires."""

    @property
    def name(self) -> str:
        """Model name as a user would write it."""

    async def ready(self) -> None:
        """Raise if a call would fail now."""


class Deadline:
    """A time by which several searches must end, as when a server stops. Until it is set it limits nothing."""

    def __init__(self) -> None:
        self._at_s: float | None = None
        self._timeouts: dict[asyncio.Timeout, float] = {}

    @property
    def over(self) -> bool:
        """Whether the time has come."""
        return self._at_s is not None and asyncio.get_running_loop().time() >= self._at_s

    def set(self, at_s: float) -> None:
        """Set or move the deadline, on the event loop's clock."""
        self._at_s = at_s
        for timeout, grace_s in self._timeouts.items():
            if not timeout.expired():
                timeout.reschedule(at_s + grace_s)

    @asynccontextmanager
    async def limit(self, grace_s: float = 0.0) -> AsyncIterator[None]:
        """Cancel the block and raise ``TimeoutError`` when the deadline is ``grace_s`` seconds past."""
        async with asyncio.timeout_at(None if self._at_s is None else self._at_s + grace_s) as timeout:
            self._timeouts[timeout] = grace_s
            try:
                yield
            finally:
                del self._timeouts[timeout]


class Lifecycle:
    """A server loads its models, works, receives a stop signal, refuses new work and ends running work.

    Attributes:
        models: the models by role; empty until they are loaded.
        failure: why the models could not be loaded.
        draining: whether the server has received a stop signal.
        deadline: deadline of all running work, set when new work is refused.
    """

    def __init__(self) -> None:
        self.models: Mapping[str, Model] = {}
        self.failure: Exception | None = None
        self.draining = False
        self.deadline = Deadline()
        self._closed = False
        self._n_running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def check_loaded(self) -> None:
        """Raise ``Overloaded`` until the models are loaded."""
        if self.failure is not None:
            raise unavailable("UNHEALTHY", "the models could not be loaded")
        if not self.models:
            raise unavailable("STARTING", "the models are being loaded")

    @contextmanager
    def work(self) -> Iterator[None]:
        """Register work that takes time. Raises ``Overloaded`` once new work is refused."""
        if self._closed:
            raise unavailable("DRAINING", "the server is shutting down")
        self._n_running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._n_running -= 1
            if not self._n_running:
                self._idle.set()

    async def end(self, within_s: float) -> None:
        """Refuse new work and wait for running work, which has ``within_s`` seconds to finish before its deadline ends it."""
        self._closed = True
        self.deadline.set(asyncio.get_running_loop().time() + within_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s + GRACE_S):
                await self._idle.wait()
