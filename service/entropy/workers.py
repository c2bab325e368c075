"""Worker processes for heavy work: off the event loop, a few at the same time, and killed when nobody waits for them any more.

Why not anyio's: it leaves a process behind when the caller goes away while it starts (seen with anyio 4.16), and runs the
user's main module again in each.
"""

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from epf.core.errors import DeadlineExceeded, Overloaded
from epf.entropy.outcome import Outcome


class Workers:
    """At most ``n`` processes of :mod:`epf.entropy.worker`, each started when it is first needed and then kept.

    Args:
        n: processes at the same time.
        max_waiting: most requests that wait for one.
        limit_s: time for one request, from its arrival.
    """

    def __init__(self, n: int, *, max_waiting: int, limit_s: float) -> None:
        self._places = asyncio.Semaphore(n)
        self._max_waiting = max_waiting
        self._n_waiting = 0
        self._limit_s = limit_s
        self._idle: list[Process] = []

    async def run(self, tool: str, body: bytes) -> Outcome:
        """What the tool says of the body. Cancelling the call kills the process that works on it.

        Raises:
            Overloaded: too many requests wait already.
            DeadlineExceeded: time was up.
            ChildProcessError: two processes died of the request.
        """
        if self._places.locked() and self._n_waiting >= self._max_waiting:
            raise Overloaded("Too many requests wait for a worker: try again later.", retry_after_s=1.0)
        try:
            async with asyncio.timeout(self._limit_s), self._place():
                return await self._ask(tool, body)
        except TimeoutError:
            raise DeadlineExceeded(f"This took longer than {self._limit_s:g} s: send less of it.") from None

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        self._n_waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._n_waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    async def _ask(self, tool: str, body: bytes) -> Outcome:
        for _ in range(2):  # killed from outside while idle, or by this very request? Only a second death tells
            process = await self._idle_one()
            try:
                outcome = await _converse(process, tool, body)
            except (BrokenPipeError, ConnectionResetError, asyncio.IncompleteReadError):
                await _killed(process)
            except BaseException:
                await _killed(process)
                raise
            else:
                self._idle.append(process)
                return outcome
        raise ChildProcessError(f"a worker died with exit code {process.returncode}")

    async def _idle_one(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        # One thread each, since there are several; the import path of this process; and a session of its own, so that Ctrl-C
        # in a terminal does not reach it.
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join(place for place in sys.path if place)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "epf.entropy.worker",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,
            env={**os.environ, **threads, "PYTHONPATH": path},
        )

    async def aclose(self) -> None:
        """Kill the processes that are idle; those at work are killed by cancelling their calls."""
        while self._idle:
            await _killed(self._idle.pop())


async def _converse(process: Process, tool: str, body: bytes) -> Outcome:
    assert process.stdin is not None
    assert process.stdout is not None
    name = tool.encode()
    process.stdin.writelines((len(name).to_bytes(8), name, len(body).to_bytes(8), body))
    await process.stdin.drain()
    length = int.from_bytes(await process.stdout.readexactly(8))
    outcome: Outcome = pickle.loads(await process.stdout.readexactly(length))
    return outcome


async def _killed(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
