"""The process in which the service runs entropy tools: ``python -m epf.entropy.worker``.

Long computations block nothing there and can be killed.

The protocol on standard input and output: a request is the name of a tool and a body in JSON, a reply is a pickled
:class:`~epf.entropy.outcome.Outcome`. Each of these follows its length, eight bytes in big-endian order. The process ends when
its standard input does.
"""

import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from epf.entropy.outcome import outcome_of

MEMORY_BYTES = 4 * 1024**3
"""Maximum address space of a worker; beyond it, an allocation raises MemoryError and the machine is not affected."""


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answers requests until their stream ends."""
    while length := requests.read(8):
        name = requests.read(int.from_bytes(length)).decode()
        body = requests.read(int.from_bytes(requests.read(8)))
        reply = pickle.dumps(outcome_of(name, body), protocol=pickle.HIGHEST_PROTOCOL)
        replies.write(len(reply).to_bytes(8) + reply)
        replies.flush()


def main() -> None:
    """Serves on standard input and output; anything else that is printed is discarded."""
    if sys.platform == "linux":
        import resource

        _, allowed = resource.getrlimit(resource.RLIMIT_AS)
        limit = MEMORY_BYTES if allowed == resource.RLIM_INFINITY else min(MEMORY_BYTES, allowed)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        with suppress(OSError):  # in a container with less memory, the kernel then kills this process and not the service
            Path("/proc/self/oom_score_adj").write_text("1000")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
