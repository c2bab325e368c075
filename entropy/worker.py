"""The process in which the service runs entropy tools: ``python -m epf.entropy.worker``.

Heavy work blocks nothing there and can be killed.

Protocol on standard input and output, lengths as eight bytes, big end first. Request: a tool's name and a body in JSON, each
after its length. Reply: a pickled :class:`~epf.entropy.outcome.Outcome` after its length. The process ends with its
standard input.
"""

import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from epf.entropy.outcome import outcome_of

MEMORY_BYTES = 4 * 1024**3
"""Address space of a worker: what needs more raises MemoryError instead of taking the machine with it."""


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until their stream ends."""
    while length := requests.read(8):
        name = requests.read(int.from_bytes(length)).decode()
        body = requests.read(int.from_bytes(requests.read(8)))
        reply = pickle.dumps(outcome_of(name, body), protocol=pickle.HIGHEST_PROTOCOL)
        replies.write(len(reply).to_bytes(8) + reply)
        replies.flush()


def main() -> None:
    """Serve on standard input and output; anything else that is printed goes nowhere."""
    if sys.platform == "linux":
        import resource

        _, allowed = resource.getrlimit(resource.RLIMIT_AS)
        limit = MEMORY_BYTES if allowed == resource.RLIM_INFINITY else min(MEMORY_BYTES, allowed)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        with suppress(OSError):  # where a container has less memory than that, the kernel kills us and not the service
            Path("/proc/self/oom_score_adj").write_text("1000")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
