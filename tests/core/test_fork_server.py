"""Forked workers: replies, CPU limits, deaths, growth and closing. The handlers are tested where they are defined."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from epf.core.fork_server import ForkServer, Lane, OverCpuLimit, Reply, Stalled, _Channel
from epf.core.fork_worker import DIED, MAX_MESSAGE, REPLY
from epf.core.process_pool import WorkerDied, WorkerUnavailable
from tests.processes import running
from tests.search.answers.processes import children, state, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

HANDLER = Path(__file__).with_name("handler.py")
ROOT = Path(__file__).parents[2]
PATIENT = Lane(60.0)
HASTY = Lane(0.05)


@contextmanager
def opened(*lanes: Lane) -> Iterator[ForkServer]:
    server = ForkServer(HANDLER, lanes)
    try:
        yield server
    finally:
        server.close()


def pid_of(server: ForkServer, lane: int = 0) -> int:
    return int(server.ask(lane, b"pid").body)


def is_gone(pid: int) -> bool:
    return state(pid)[0] == "X"


def test_each_lane_has_a_process_that_is_reused_and_printed_output_is_not_a_reply() -> None:
    with opened(PATIENT, Lane(60.0, 7)) as server:
        pids = [pid_of(server, lane) for lane in (0, 1, 0, 1)]
        assert pids[:2] == pids[2:]
        assert len(set(pids)) == 2
        assert server.ask(0, b"abc").body == b"cba"
        assert server.ask(0, b"").body == b""
        large = os.urandom(2**16)
        assert server.ask(1, large).body == large[::-1]
        niceness = [int(server.ask(lane, b"niceness").body) for lane in (0, 1)]
        assert niceness[1] - niceness[0] == 7


def test_the_cpu_limit_ends_a_byte_code_and_the_next_process_is_a_fork_of_the_same_parent() -> None:
    with opened(HASTY) as server:
        before, parent = pid_of(server), server.ask(0, b"parent").body
        with pytest.raises(OverCpuLimit):
            server.ask(0, b"compute")
        assert is_gone(before)
        assert server.ask(0, b"parent").body == parent
        assert pid_of(server) != before


def test_a_lane_has_spares_again_after_each_death() -> None:
    with opened(Lane(0.05, n=2)) as server:
        parent = int(server.ask(0, b"parent").body)
        for _ in range(3):
            with pytest.raises(OverCpuLimit):
                server.ask(0, b"compute")
            wait_until(lambda: len(children(parent)) == 2)
        assert server.ask(0, b"abc").body == b"cba"


def test_waiting_is_not_computing() -> None:
    """On a busy machine a request waits for its turn; that does not use up its CPU time."""
    with opened(HASTY) as server:
        assert server.ask(0, b"wait").body == b"waited"


def test_the_cpu_time_of_a_reply_is_reported() -> None:
    with opened(PATIENT) as server:
        assert 0.0 <= server.ask(0, b"abc").cpu_s < server.ask(0, b"grow").cpu_s < 60.0


@pytest.mark.slow
def test_a_request_that_does_not_compute_is_stopped_by_the_clock() -> None:
    with opened(Lane(0.001)) as server, pytest.raises(Stalled):
        server.ask(0, b"hang")


def test_only_a_second_death_is_blamed_on_the_request() -> None:
    with opened(PATIENT) as server:
        os.kill(pid_of(server), signal.SIGKILL)
        assert server.ask(0, b"abc").body == b"cba"
        with pytest.raises(WorkerDied, match="exit code 3"):
            server.ask(0, b"die")
        assert server.ask(0, b"abc").body == b"cba"


def test_the_reply_to_a_request_that_was_sent_twice_is_not_taken_for_the_next_one() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = _Channel(ours)

    def number() -> bytes:
        return theirs.recv(MAX_MESSAGE)[:8]

    def reply(to: bytes, body: bytes) -> None:
        theirs.send(REPLY + to + (0).to_bytes(8) + body)

    with theirs, ThreadPoolExecutor(1) as thread:
        first = thread.submit(channel.ask, b"first")
        sent = number()
        theirs.send(DIED + (1).to_bytes(8) + (-9).to_bytes(8, signed=True))
        sent_again = number()
        reply(sent, b"first reply")
        assert first.result() == Reply(b"first reply", 0.0)
        second = thread.submit(channel.ask, b"second")
        reply(sent_again, b"first reply")
        reply(number(), b"second reply")
        assert second.result() == Reply(b"second reply", 0.0)
        channel.close()


def test_memory_is_limited_and_a_process_that_has_grown_is_replaced() -> None:
    with opened(PATIENT) as server:
        before = pid_of(server)
        assert server.ask(0, b"fill").body == b"MemoryError"
        assert pid_of(server) == before
        assert server.ask(0, b"grow").body == str(2**27).encode()
        wait_until(lambda: is_gone(before))
        assert pid_of(server) != before


def test_lanes_do_not_wait_for_each_other() -> None:
    with opened(PATIENT, PATIENT) as server, ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(server.ask, 0, b"hang")
        assert server.ask(1, b"abc").body == b"cba"
        assert not hanging.done()
        server.close()
        assert isinstance(hanging.exception(), WorkerUnavailable | WorkerDied)


@pytest.mark.slow
def test_all_processes_are_replaced_when_the_first_was_killed() -> None:
    with opened(PATIENT, PATIENT) as server:
        parent, before = int(server.ask(0, b"parent").body), pid_of(server, 1)
        os.kill(parent, signal.SIGKILL)
        os.kill(pid_of(server), signal.SIGKILL)
        assert server.ask(0, b"abc").body == b"cba"
        assert is_gone(parent)
        wait_until(lambda: is_gone(before))
        assert server.ask(1, b"abc").body == b"cba"


def test_closing_ends_all_calls_and_processes_and_refuses_later_calls() -> None:
    with opened(PATIENT, PATIENT) as server, ThreadPoolExecutor(1) as thread:
        pids = [pid_of(server, lane) for lane in (0, 1)] + [int(server.ask(0, b"parent").body)]
        call = thread.submit(server.ask, 0, b"hang")
        server.close()
        assert all(map(is_gone, pids))
        assert isinstance(call.exception(), WorkerUnavailable | WorkerDied)
        with pytest.raises(WorkerUnavailable):
            server.ask(0, b"abc")
        server.close()


def test_closing_while_the_processes_start_leaves_none() -> None:
    server = ForkServer(HANDLER, [PATIENT])
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(server.ask, 0, b"hang")
        wait_until(lambda: server._family is not None)
        server.close()
        assert isinstance(call.exception(), WorkerUnavailable | WorkerDied)
    assert server._family is None


def test_a_handler_that_does_not_load_is_reported() -> None:
    server = ForkServer(HANDLER.with_name("missing.py"), [PATIENT])
    with pytest.raises(WorkerUnavailable, match="exit code 1"):
        server.ask(0, b"abc")
    server.close()


SCRIPT = f"""
import sys
from pathlib import Path
from epf.core.fork_server import ForkServer, Lane
server = ForkServer(Path({str(HANDLER)!r}), [Lane(0.2), Lane(0.2)])
print(*(server.ask(0, word).body.decode() for word in (b"pid", b"parent")), server.ask(1, b"pid").body.decode(), flush=True)
server.ask(0, b"compute") if "compute" in sys.argv else sys.stdin.read()
"""


@pytest.mark.parametrize("mode", ["idle", "compute"])
def test_the_processes_of_a_killed_program_end(mode: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running([sys.executable, script, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as user:
        assert user.stdout is not None
        pids = [int(pid) for pid in user.stdout.readline().split()]
        assert len(pids) == 3
        if mode == "compute":
            wait_until(lambda: state(pids[0])[0] in "RXZ")
        user.kill()
    wait_until(lambda: all(state(pid)[0] in "XZ" for pid in pids))


def test_many_threads_get_their_own_replies() -> None:
    """Requests of four lanes, among which processes die, are never answered with the reply to another."""
    with opened(*[HASTY] * 4) as server:
        wrong: list[bytes] = []

        def ask(lane: int) -> None:
            for n in range(30):
                if n % 10 == 9:
                    with pytest.raises(OverCpuLimit):
                        server.ask(lane, b"compute")
                text = f"{lane} {n}".encode()
                if server.ask(lane, text).body != text[::-1]:
                    wrong.append(text)

        threads = [threading.Thread(target=ask, args=(lane,)) for lane in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
