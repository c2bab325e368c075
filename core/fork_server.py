"""Worker processes that are forked from one process, for short work of which any piece may hang or die.

A new process of :class:`~epf.core.process_pool.ProcessPool` imports its handler, which takes a second of CPU time for a
computer algebra system. Where hanging pieces of work are frequent, replacing the processes that they cost would be the larger
part of the work. Here a process that has loaded the handler forks the workers, see :mod:`epf.core.fork_worker`.

A handler is a file as for the pool that also defines ``EXAMPLE``, a short request, with which a new worker warms up.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from epf.core.fork_worker import DIED, MAX_MESSAGE, READY, REPLY, TAKEN
from epf.core.process_pool import START_LIMIT_S, WorkerDied, WorkerUnavailable, worker_environment

_MAIN = Path(__file__).with_name("fork_worker.py")
_EXIT_GRACE_S = 1.0
_MAX_SENT = 10
"""Maximum number of times that a request is sent because a process died, perhaps another than the one that received it."""


class Lane(NamedTuple):
    """Processes that handle one request after the other.

    Attributes:
        cpu_limit_s: maximum CPU time of a request, in seconds.
        niceness: of the processes, added to that of this process.
        n: number of processes. One works; the others are spares, which take over as soon as it dies.
    """

    cpu_limit_s: float
    niceness: int = 0
    n: int = 1


class Reply(NamedTuple):
    """What the handler returned, and the CPU time in seconds that it took."""

    body: bytes
    cpu_s: float


class OverCpuLimit(Exception):
    """The request used up the CPU time of its lane."""


class Stalled(Exception):
    """The request was stopped by the wall clock long before it had used up its CPU time."""


class ForkServer:
    """Runs requests in lanes, one at a time in each. All processes start with the first request.

    They have a session of their own, so that Ctrl-C in a terminal does not reach them, and end with this process.

    Args:
        handler: file of the handler.
        lanes: at least one.
    """

    def __init__(self, handler: Path, lanes: Sequence[Lane]) -> None:
        self._handler = handler
        self._lanes = tuple(lanes)
        self._starting = threading.Lock()
        self._lock = threading.Lock()
        self._family: _Family | None = None
        self._closed = False

    def ask(self, lane: int, request: bytes) -> Reply:
        """Return the handler's reply. Only one thread at a time may ask a lane.

        Raises:
            OverCpuLimit: the lane's CPU limit was reached.
            Stalled: the wall-clock limit was reached, see :func:`epf.core.fork_worker.stall_limit_s`.
            WorkerDied: two processes died while they handled the request.
            WorkerUnavailable: the server is closed, or its processes could not be started.
        """
        # A process may have been killed from outside. Only a second death is the fault of the request.
        for _ in range(2):
            family = self._started()
            outcome = family.ask(lane, request)
            if isinstance(outcome, Reply):
                return outcome
            if outcome is None:
                self._end(family)
            elif outcome == -signal.SIGPROF:
                raise OverCpuLimit
            elif outcome == -signal.SIGALRM:
                raise Stalled
        if outcome is None:
            raise WorkerUnavailable("all worker processes were killed, twice")
        raise WorkerDied(f"a worker process died with exit code {outcome}")

    def close(self) -> None:
        """Kill all processes; requests under way raise ``WorkerUnavailable``. A second call does nothing."""
        with self._lock:
            self._closed = True
            family = self._family
        if family is not None:
            self._end(family)

    def _started(self) -> "_Family":
        with self._starting:
            with self._lock:
                if self._closed:
                    raise WorkerUnavailable("the workers are closed")
                if self._family is not None:
                    return self._family
                try:
                    family = self._family = _Family(self._handler, self._lanes)
                except OSError as error:
                    raise WorkerUnavailable(str(error)) from error
            if not family.wait_until_ready():
                exit_code = self._end(family, _EXIT_GRACE_S)
                raise WorkerUnavailable(f"exit code {exit_code}")
            return family

    def _end(self, family: "_Family", grace_s: float = 0.0) -> int:
        with self._lock:
            if self._family is family:
                self._family = None
        return family.end(grace_s)


class _Family:
    """A fork server's process and the sockets of its lanes."""

    def __init__(self, handler: Path, lanes: Sequence[Lane]) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in lanes]
        self._channels = [_Channel(ours) for ours, _ in pairs]
        theirs = [socket_.fileno() for _, socket_ in pairs]
        arguments = [f"{fd}:{lane.cpu_limit_s}:{lane.niceness}:{lane.n}" for fd, lane in zip(theirs, lanes, strict=True)]
        self._ending = threading.Lock()
        try:
            self._popen = subprocess.Popen(
                (sys.executable, "-P", str(_MAIN), str(handler), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=theirs,
                env=worker_environment(),
            )
        except OSError:
            for channel in self._channels:
                channel.close()
            raise
        finally:
            for _, socket_ in pairs:
                socket_.close()

    def wait_until_ready(self) -> bool:
        """Whether the handler was loaded in time."""
        return self._channels[0].receive_ready()

    def ask(self, lane: int, request: bytes) -> Reply | int | None:
        """The reply, the exit code of the process that died, or None if no process is left."""
        return self._channels[lane].ask(request)

    def end(self, grace_s: float) -> int:
        """End all processes and return the exit code of the first, which may end by itself within ``grace_s``.

        Threads that wait for a reply get none.
        """
        with self._ending:
            if self._popen.returncode is not None:
                return self._popen.returncode
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace_s)
            self._popen.terminate()  # it kills the others and waits for them, so that none is left to whoever adopts orphans
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(_EXIT_GRACE_S)
            if self._popen.returncode != 0:
                with suppress(ProcessLookupError):
                    os.killpg(self._popen.pid, signal.SIGKILL)
            exit_code = self._popen.wait()
            for channel in self._channels:
                channel.close()
            return exit_code


class _NotTaken(Enum):
    """A process died before any process took the request."""

    NOT_TAKEN = 0


_NOT_TAKEN = _NotTaken.NOT_TAKEN


class _Channel:
    """Our end of a lane. The lock is held while a thread waits for a message."""

    def __init__(self, socket_: socket.socket) -> None:
        self._socket = socket_
        self._lock = threading.Lock()
        self._n_sent = 0

    def receive_ready(self) -> bool:
        with self._lock, suppress(OSError):
            self._socket.settimeout(START_LIMIT_S)
            is_ready = self._socket.recv(len(READY)) == READY
            self._socket.settimeout(None)
            return is_ready
        return False

    def ask(self, request: bytes) -> Reply | int | None:
        with self._lock, suppress(OSError):
            first = self._n_sent
            for _ in range(_MAX_SENT):
                self._socket.send(self._n_sent.to_bytes(8) + request)
                self._n_sent += 1
                outcome = self._outcome(first)
                if outcome is not _NOT_TAKEN:
                    return outcome
        return None

    def _outcome(self, first: int) -> "Reply | int | _NotTaken | None":
        """What became of the request, which has the number ``first`` and, where it was sent again, the following ones.

        A process that died without having taken it may have been idle; or it had just received the request, which is lost then.
        So the request is sent again. The reply to a copy that was not lost is ignored.
        """
        process: int | None = None
        while message := self._socket.recv(MAX_MESSAGE):
            kind, subject, value = message[:1], int.from_bytes(message[1:9]), message[9:17]
            if kind == TAKEN and subject >= first:
                process = int.from_bytes(value)
            elif kind == REPLY and subject >= first:
                return Reply(message[17:], int.from_bytes(value) / 1e6)
            elif kind == DIED and process is None:
                return _NOT_TAKEN
            elif kind == DIED and subject == process:
                return int.from_bytes(value, signed=True)
        return None

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # ends the wait of a thread
        with self._lock:
            self._socket.close()
