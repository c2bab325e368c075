r"""Reads answers in a worker process; a handler of :class:`~epf.core.fork_server.ForkServer`.

A request is an answer, the reply its reading in JSON, or ``null`` where reading it takes too much memory.
"""

import json
import logging
from collections.abc import Callable

from epf.search.answers.reading import Reading
from epf.search.answers.symbolic import read, warm_up

MEMORY_BYTES = 512 * 1024**2
"""Address space of a worker: a number with a billion digits raises MemoryError instead of taking the machine with it."""

EXAMPLE = rb"\frac{x}{2} < \sqrt{2}"


def start() -> Callable[[bytes], bytes]:
    """Return the function that handles a request."""
    logging.disable()
    warm_up()  # which must not count as the time of the first answer
    return _handle


def _handle(request: bytes) -> bytes:
    reading: Reading | None
    try:
        reading = read(request.decode("utf-8", "surrogatepass"))
    except MemoryError:
        reading = None
    return json.dumps(None if reading is None else reading.to_json()).encode()
