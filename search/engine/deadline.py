"""A time by which searches have to end, set while they run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Deadline:
    """Shared by searches that must end together, as when a server stops; it limits nothing until it is set."""

    def __init__(self) -> None:
        self._at_s: float | None = None
        self._timeouts: dict[asyncio.Timeout, float] = {}

    @property
    def over(self) -> bool:
        """Whether the time has come."""
        return self._at_s is not None and asyncio.get_running_loop().time() >= self._at_s

    def set(self, at_s: float) -> None:
        """Set or move it, on the event loop's clock."""
        self._at_s = at_s
        for timeout, grace_s in self._timeouts.items():
            if not timeout.expired():
                timeout.reschedule(at_s + grace_s)

    @asynccontextmanager
    async def limit(self, grace_s: float = 0.0) -> AsyncIterator[None]:
        """Cancel the block and raise ``TimeoutError`` so many seconds after the time has come."""
        async with asyncio.timeout_at(None if self._at_s is None else self._at_s + grace_s) as timeout:
            self._timeouts[timeout] = grace_s
            try:
                yield
            finally:
                del self._timeouts[timeout]
