"""The main program of a worker process: ``python -P process_worker.py HANDLER LIMIT_S``; see :mod:`epf.core.process_pool`.

Run by path, so that only what the handler imports is imported. It sends the message ``ready`` and then a reply to each request.
Whatever is printed goes nowhere. When memory runs out, the kernel kills this process before the one that serves.

The parent kills this process at the time limit. Should the parent be gone, the kernel does: an alarm without a handler ends a
process even inside one byte code. An idle process ends when its standard input does.
"""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any


def main() -> None:
    """Serve requests from standard input until it ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    handler, limit_s = load(Path(sys.argv[1])), float(sys.argv[2])
    if sys.platform == "linux":
        limit_memory(handler.MEMORY_BYTES)
    handle: Callable[[bytes], bytes] = handler.start()
    _send(replies, b"ready")
    requests = sys.stdin.buffer
    while length := requests.read(8):
        request = requests.read(int.from_bytes(length))
        _set_alarm(limit_s + 1.0)
        _send(replies, handle(request))
        _set_alarm(0)


def load(path: Path) -> Any:
    """Import the handler at ``path``."""
    spec = importlib.util.spec_from_file_location("handler", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def limit_memory(n_bytes: int) -> None:
    """Limit the address space: what needs more raises MemoryError instead of taking the machine with it."""
    import resource

    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    limit = n_bytes if allowed == resource.RLIM_INFINITY else min(n_bytes, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with suppress(OSError):  # where a container has less memory than that
        Path("/proc/self/oom_score_adj").write_text("1000")


def _set_alarm(seconds: float) -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _send(replies: IO[bytes], message: bytes) -> None:
    replies.write(len(message).to_bytes(8) + message)
    replies.flush()


if __name__ == "__main__":
    main()
