"""Live child processes, as Linux lists them."""

import os
from collections.abc import Callable
from pathlib import Path


def state(pid: int) -> tuple[str, int]:
    """State letter ("R" running, "S" waiting, "Z" dead but not reaped) and parent of a process; ("X", 0) when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return fields[0], int(fields[1])


def children(parent: int) -> set[int]:
    """Pids of the children of a process, including dead ones that are not reaped."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {pid for pid in pids if state(pid)[1] == parent}


def workers(parent: int | None = None) -> set[int]:
    """Pids of the processes that read answers for a process (by default this one), without the one that forks them."""
    servers = {pid for pid in children(os.getpid() if parent is None else parent) if b"fork_worker.py" in _command(pid)}
    return set().union(*map(children, servers))


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until a condition holds; the time limit of the test ends a hang."""
    while not condition():
        os.sched_yield()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
