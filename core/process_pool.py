"""Worker processes for work that must neither block the caller nor outlive its interest in the result.

A *handler* is a Python file that defines ``MEMORY_BYTES``, the maximum address space of a process, and ``start()``, which
returns a function from the bytes of a request to those of its reply. :mod:`epf.core.process_worker` runs it.

Why not ``multiprocessing`` or anyio's worker processes: the former runs the user's main module again in each spawned process,
and so does the latter, which also leaves a process behind when its caller is cancelled while the process starts (anyio 4.16).
"""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

START_LIMIT_S = 60.0
EXIT_GRACE_S = 1.0
"""A process that has closed its output is about to exit; its exit code says why."""
_WORKER = Path(__file__).with_name("process_worker.py")
_READY = b"ready"


class WorkerUnavailable(Exception):
    """The pool is closed, or no worker process could be started."""


class WorkerDied(ChildProcessError):
    """Two worker processes died while they handled one request."""


class ProcessPool:
    """Runs requests in at most ``n`` worker processes, first come, first served.

    Processes start when they are first needed and are then reused. Each has a session of its own, so that Ctrl-C in a terminal
    does not reach it, and ends with its standard input, thus with this process. Not tied to an event loop.

    Args:
        handler: file of the handler.
        n: maximum number of processes.
        limit_s: time limit of one request in its process, in seconds, without the start of the process.
    """

    def __init__(self, handler: Path, n: int, *, limit_s: float) -> None:
        self._command = (sys.executable, "-P", str(_WORKER), str(handler), str(limit_s))
        self._limit_s = limit_s
        self._threads = ThreadPoolExecutor(n, thread_name_prefix=f"{handler.parent.name}-{handler.stem}")
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._calls: set[_Call] = set()
        self._closed = False

    @property
    def n_calls(self) -> int:
        """Number of requests that are being handled or wait for a process."""
        return len(self._calls)

    async def run(self, *request: bytes) -> bytes:
        """Return the handler's reply to a request, whose parts are put together on the way.

        Cancelling the call kills the process that works on the request and waits for its end.

        Raises:
            TimeoutError: the time limit passed.
            WorkerDied: two processes died while they handled the request.
            WorkerUnavailable: the pool is closed, or a process could not be started.
        """
        call = _Call(request)
        with self._lock:
            if self._closed:
                raise WorkerUnavailable("the pool is closed")
            self._calls.add(call)
            future = self._threads.submit(self._handle, call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            call.cancel()
            await _settled(future)
            raise
        finally:
            with self._lock:
                self._calls.discard(call)

    async def aclose(self) -> None:
        """Kill all processes; open calls raise ``WorkerUnavailable``. A second call does nothing."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for call in self._calls:
                call.cancel()
        for process in idle:
            process.kill()
        await asyncio.to_thread(self._close, idle)

    def _close(self, idle: "list[_Process]") -> None:
        for process in idle:
            process.reap()
        self._threads.shutdown(wait=True)

    def _handle(self, call: "_Call") -> bytes:
        # A process may have been killed from outside while it was idle. Only a second death is the fault of the request.
        for _ in range(2):
            if call.cancelled:
                raise WorkerUnavailable("the pool was closed")
            process = self._take(call)
            reply = process.ask(call.request, self._limit_s)
            if call.detach() and reply is not None:
                self._give_back(process)
                return reply
            process.reap(EXIT_GRACE_S)
            if process.timed_out and not call.cancelled:
                raise TimeoutError(f"a worker process was killed after {self._limit_s:g} seconds")
        raise WorkerDied(f"a worker process died with exit code {process.exit_code}")

    def _take(self, call: "_Call") -> "_Process":
        """A live process for ``call``, which it can kill from now on."""
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                break
            if process.exit_code is None:
                call.attach(process)
                return process
            process.reap()
        try:
            process = _Process(self._command)
        except OSError as error:
            raise WorkerUnavailable(str(error)) from error
        call.attach(process)
        if process.receive(START_LIMIT_S) == _READY:
            return process
        process.reap(EXIT_GRACE_S)
        raise WorkerUnavailable("the pool was closed" if call.cancelled else f"exit code {process.exit_code}")

    def _give_back(self, process: "_Process") -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(process)
                return
        process.reap()


class _Call:
    """A request, and the process that works on it while there is one."""

    def __init__(self, request: tuple[bytes, ...]) -> None:
        self.request = request
        self.cancelled = False
        self._lock = threading.Lock()
        self._process: _Process | None = None

    def attach(self, process: "_Process") -> None:
        """From now on :meth:`cancel` kills ``process``; so does this method where the call is already cancelled."""
        with self._lock:
            self._process = process
            if self.cancelled:
                process.kill()

    def detach(self) -> bool:
        """:meth:`cancel` leaves the process alone from now on; returns whether it has done so until now."""
        with self._lock:
            self._process = None
            return not self.cancelled

    def cancel(self) -> None:
        """Kill the process that works on the request."""
        with self._lock:
            self.cancelled = True
            if self._process is not None:
                self._process.kill()


class _Process:
    """One worker process. One thread at a time talks to it; any thread may kill it.

    Messages are frames: a length as eight bytes, big end first, and that many bytes.
    """

    def __init__(self, command: tuple[str, ...]) -> None:
        self.timed_out = False
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=worker_environment(),
        )

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._popen.poll()

    def ask(self, request: tuple[bytes, ...], limit_s: float) -> bytes | None:
        """The reply to ``request``, None if the process died or was killed at the limit."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(sum(map(len, request)).to_bytes(8))
            self._popen.stdin.writelines(request)
            self._popen.stdin.flush()
        except BrokenPipeError:
            return None
        return self.receive(limit_s)

    def receive(self, limit_s: float) -> bytes | None:
        """The next message, None if the process died or was killed at the limit."""
        timer = threading.Timer(limit_s, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return self._frame()
        finally:
            timer.cancel()
            timer.join()

    def kill(self) -> None:
        """Kill it now; :meth:`reap` still has to be called."""
        self._popen.kill()

    def reap(self, grace_s: float = 0.0) -> None:
        """Kill it unless it ends by itself within ``grace_s``, wait for its end and close its pipes."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_s)
        self._popen.kill()
        with suppress(BrokenPipeError), self._popen:
            pass

    def _frame(self) -> bytes | None:
        assert self._popen.stdout is not None
        header = self._popen.stdout.read(8)
        body = self._popen.stdout.read(int.from_bytes(header)) if len(header) == 8 else b""
        return body if len(header) == 8 and len(body) == int.from_bytes(header) else None

    def _expire(self) -> None:
        self.timed_out = True
        self.kill()


def worker_environment() -> dict[str, str]:
    """Environment of a worker process: it imports what this process can import, and computes in one thread."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, **threads, "PYTHONPATH": path}


async def _settled(future: "Future[bytes]") -> None:
    """Wait until the thread is done with a call, whose outcome no longer matters."""
    waiting = asyncio.wrap_future(future)
    await asyncio.wait([waiting])
    if not waiting.cancelled():
        waiting.exception()
