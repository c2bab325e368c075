"""Where a server stands between its start and its end. What takes time asks here first, and is ended from here."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Literal, Protocol

from epf.core.errors import Overloaded
from epf.search.engine.deadline import Deadline

State = Literal["STARTING", "HEALTHY", "UNHEALTHY", "DRAINING"]

RETRY_AFTER_S = 5.0
"""In so many seconds a server may have started or recovered, or another have taken its place. A guess."""

ANSWERING_S = 2.0
"""What is under way when its time is up may take so long to tell equal answers apart and to answer."""


def not_now(state: State, why: str) -> Overloaded:
    """Work is refused because of the server's state, which is not the caller's fault."""
    return Overloaded(f"{state}: {why}: try again later", retry_after_s=RETRY_AFTER_S)


class Model(Protocol):
    """What a server cannot do without."""

    @property
    def name(self) -> str:
        """As a user would write it."""

    async def ready(self) -> None:
        """Raise if a call would fail now."""


class Lifecycle:
    """A server loads its models, works, is told to stop, takes no more work, and ends what is under way.

    Attributes:
        models: by what they are for; none until they are loaded.
        failure: why they could not be loaded.
        draining: it was told to stop.
        deadline: of all that is under way, set when no more work is taken.
    """

    def __init__(self) -> None:
        self.models: Mapping[str, Model] = {}
        self.failure: Exception | None = None
        self.draining = False
        self.deadline = Deadline()
        self._closed = False
        self._n_under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def check_loaded(self) -> None:
        """Raise ``Overloaded`` until there are models to work with."""
        if self.failure is not None:
            raise not_now("UNHEALTHY", "the models could not be loaded")
        if not self.models:
            raise not_now("STARTING", "the models are being loaded")

    @contextmanager
    def work(self) -> Iterator[None]:
        """Around all that takes time. Raises ``Overloaded`` when no more work is taken."""
        if self._closed:
            raise not_now("DRAINING", "the server is about to stop")
        self._n_under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._n_under_way -= 1
            if not self._n_under_way:
                self._idle.set()

    async def end(self, within_s: float) -> None:
        """Take no more work, and wait until what is under way has ended: by itself, or by the deadline in so many seconds."""
        self._closed = True
        self.deadline.set(asyncio.get_running_loop().time() + within_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s + ANSWERING_S):
                await self._idle.wait()
