"""The main program of a fork server: ``python -P fork_worker.py HANDLER LANE ...``; see :mod:`epf.core.fork_server`.

Run by path, so that only what the handler imports is imported. A lane is ``FD:CPU_LIMIT_S:NICENESS:N``. This process loads
the handler, forks the N processes of each lane, and forks another as soon as one dies, which takes milliseconds.

The kernel ends a request at its CPU limit, even inside one byte code: a timer without a handler ends the process. So a limit
means the same on a busy machine and on an idle one, and holds without anybody who watches it. A process whose memory has grown
ends after its reply, so that the next request has as much memory as any other.
"""

import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from epf.core.process_worker import limit_memory, load

READY = b"ready"
MAX_MESSAGE = 1 << 20
"""Maximum size of a message, in bytes."""

TAKEN, REPLY, DIED = b"t", b"r", b"d"
"""First byte of a message to the parent. Two integers of eight bytes follow:

- TAKEN: the number of the request, and the process that works on it from now on;
- REPLY: the number of the request, and the CPU time that it took, in microseconds; then the reply;
- DIED: the process, and its exit code.
"""

_RETIREMENT = signal.SIGUSR1
"""A process that has grown ends by it: no exit code of a handler means the same."""
_MAX_GROWTH_KB = 64 * 1024
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


class Lane(NamedTuple):
    """Processes that take requests from one socket."""

    requests: socket.socket
    cpu_limit_s: float
    niceness: int
    n: int


def stall_limit_s(cpu_limit_s: float) -> float:
    """Wall-clock limit of a request, in seconds: reached only by one that does not compute, or hardly gets to."""
    return 10.0 + 100.0 * cpu_limit_s


def main() -> None:
    """Keep the processes of all lanes alive until all sockets are closed or SIGTERM arrives."""
    lanes = [_lane(argument) for argument in sys.argv[2:]]
    handler = load(Path(sys.argv[1]))
    limit_memory(handler.MEMORY_BYTES)
    handle: Callable[[bytes], bytes] = handler.start()
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise write to, and so copy, every page that it shares
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    lanes[0].requests.send(READY)
    children = {_fork(lane, lanes, handle, handler.EXAMPLE): lane for lane in lanes for _ in range(lane.n)}
    while children:
        if signal.sigwait(_SIGNALS) == signal.SIGTERM:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            for pid in children:
                os.waitpid(pid, 0)
            return
        for pid, status in _ended(tuple(children)):
            lane = children.pop(pid)
            if _goes_on(lane, pid, os.waitstatus_to_exitcode(status)):
                children[_fork(lane, lanes, handle, handler.EXAMPLE)] = lane


def _lane(argument: str) -> Lane:
    fd, cpu_limit_s, niceness, n = argument.split(":")
    return Lane(socket.socket(fileno=int(fd)), float(cpu_limit_s), int(niceness), int(n))


def _ended(pids: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(pid, status) for pid, status in (os.waitpid(pid, os.WNOHANG) for pid in pids) if pid]


def _goes_on(lane: Lane, pid: int, exit_code: int) -> bool:
    """Report the end of a lane's process unless it retired; returns whether the lane needs another."""
    if exit_code != -_RETIREMENT:
        try:
            lane.requests.send(DIED + pid.to_bytes(8) + exit_code.to_bytes(8, signed=True), socket.MSG_DONTWAIT)
        except OSError:  # the parent has closed the socket, is gone, or ignores one death after the other
            lane.requests.close()
            return False
    return True


def _fork(lane: Lane, lanes: list[Lane], handle: Callable[[bytes], bytes], example: bytes) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        for other in lanes:
            if other is not lane:
                other.requests.close()  # the parent learns from its end that no process serves a lane
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.nice(lane.niceness)
        _serve(lane, handle, example)
    finally:
        os._exit(1)


def _serve(lane: Lane, handle: Callable[[bytes], bytes], example: bytes) -> None:
    """Handle requests; the first eight bytes of each are its number."""
    handle(example)  # practice: it copies the memory pages that every request writes to
    most_kb = _peak_kb() + _MAX_GROWTH_KB
    while message := lane.requests.recv(MAX_MESSAGE):
        lane.requests.send(TAKEN + message[:8] + os.getpid().to_bytes(8))
        start_s = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, stall_limit_s(lane.cpu_limit_s))
        signal.setitimer(signal.ITIMER_PROF, lane.cpu_limit_s)
        reply = handle(message[8:])
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        cpu_us = round(1e6 * (time.process_time() - start_s))
        lane.requests.send(REPLY + message[:8] + cpu_us.to_bytes(8) + reply)
        if _peak_kb() > most_kb:
            signal.raise_signal(_RETIREMENT)


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main()
