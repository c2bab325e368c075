"""Runs entropy tools in a worker process of the service; a handler of :class:`~epf.core.process_pool.ProcessPool`.

A request is a tool's name, a line feed and a body in JSON; the reply is a pickled :class:`~epf.entropy.outcome.Outcome`.
"""

import pickle
from collections.abc import Callable

from epf.entropy.outcome import outcome_of

MEMORY_BYTES = 4 * 1024**3
"""Maximum address space of a worker; beyond it, an allocation raises MemoryError and the machine is not affected."""


def start() -> Callable[[bytes], bytes]:
    """Returns the function that handles a request."""
    return _handle


def _handle(request: bytes) -> bytes:
    name, _, body = request.partition(b"\n")
    return pickle.dumps(outcome_of(name.decode(), body), protocol=pickle.HIGHEST_PROTOCOL)
