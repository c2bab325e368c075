"""Runs entropy tools in a worker process of the service; a handler of :class:`~epf.core.process_pool.ProcessPool`.

A request is a tool's name, a line feed and a body in JSON. :func:`read_reply` reads the reply: the answer as it is sent to the
caller, or a pickled :class:`~epf.entropy.outcome.Outcome`, which is small.
"""

import gc
import pickle
from collections.abc import Callable

from epf.entropy.outcome import Outcome, outcome_of

MEMORY_BYTES = 4 * 1024**3
"""Maximum address space of a worker; beyond it, an allocation raises MemoryError and the machine is not affected."""


_ANSWER, _OTHER = b"a", b"o"


def start() -> Callable[[bytes], bytes]:
    """Returns the function that handles a request."""
    # Reading a large body makes millions of lists, all of which are needed. Looking for garbage among them takes seconds.
    gc.freeze()
    gc.disable()
    return _handle


def _handle(request: bytes) -> bytes:
    name, _, body = request.partition(b"\n")
    outcome = outcome_of(name.decode(), body)
    gc.collect()
    if outcome.answer is not None:
        return _ANSWER + outcome.answer
    return _OTHER + pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL)


def read_reply(reply: bytes) -> Outcome | memoryview:
    """The answer in JSON, which is not copied, or another outcome."""
    if reply[:1] == _ANSWER:
        return memoryview(reply)[1:]
    outcome: Outcome = pickle.loads(memoryview(reply)[1:])
    return outcome
