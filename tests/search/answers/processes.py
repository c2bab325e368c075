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


def workers(parent: int | None = None) -> list[int]:
    """Pids of the answer workers of a process (by default this one), including dead ones that are not reaped."""
    parent = os.getpid() if parent is None else parent
    children = [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and state(int(entry.name))[1] == parent
    ]
    return [pid for pid in children if state(pid)[0] == "Z" or b"worker.py" in _command(pid)]


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until a condition holds; the time limit of the test ends a hang."""
    while not condition():
        os.sched_yield()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
