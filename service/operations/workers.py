"""Worker processes for heavy entropy tools: off the event loop, a few at a time, killed when nobody waits for the result."""

import asyncio
from pathlib import Path

from epf import entropy
from epf.core.errors import DeadlineExceeded, Overloaded
from epf.core.process_pool import ProcessPool
from epf.entropy.outcome import Outcome
from epf.entropy.worker import read_reply


class Workers:
    """At most ``n`` processes of :mod:`epf.entropy.worker`, each started when it is first needed and then reused.

    Args:
        n: maximum number of processes.
        max_waiting: maximum number of requests that wait for a process.
        limit_s: time limit of one request in seconds, counted from its arrival.
    """

    def __init__(self, n: int, *, max_waiting: int, limit_s: float) -> None:
        self._processes = ProcessPool(Path(entropy.__path__[0], "worker.py"), n, limit_s=limit_s)
        self._max_calls = n + max_waiting
        self._limit_s = limit_s

    async def run(self, tool: str, body: bytes) -> Outcome | memoryview:
        """Run a tool on the body and return its answer in JSON, or what else came of it.

        Cancelling the call kills the process that works on it.

        Raises:
            Overloaded: too many requests are already waiting.
            DeadlineExceeded: the time limit passed.
            WorkerDied: two processes died while they handled the request.
        """
        if self._processes.n_calls >= self._max_calls:
            raise Overloaded("Too many requests are waiting for an entropy worker. Try again later.", retry_after_s=1.0)
        try:
            async with asyncio.timeout(self._limit_s):
                reply = await self._processes.run(f"{tool}\n".encode(), body)
        except TimeoutError:
            raise DeadlineExceeded(f"The computation took longer than {self._limit_s:g} seconds. Send less data.") from None
        return read_reply(reply)

    async def aclose(self) -> None:
        """Kill all processes."""
        await self._processes.aclose()
