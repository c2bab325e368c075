r"""Reads answers in a worker process; a handler of :class:`~epf.core.process_pool.ProcessPool`.

A request is ``[a, b]`` in JSON, the reply ``true`` or ``false``.
"""

import json
import logging
from collections.abc import Callable
from functools import lru_cache

from epf.search.answers import symbolic
from epf.search.answers.reading import same

MEMORY_BYTES = 2 * 1024**3
"""Address space of a worker: a number with a billion digits raises MemoryError instead of taking the machine with it."""

_read = lru_cache(maxsize=256)(symbolic.read)


def start() -> Callable[[bytes], bytes]:
    """Return the function that handles a request."""
    logging.disable()
    # SymPy imports and compiles much when first used, which must not count as the time of the first request.
    _read(r"\frac{x}{2} < \sqrt{2}")
    return _handle


def _handle(request: bytes) -> bytes:
    a, b = json.loads(request)
    try:
        verdict = same(_read(a), _read(b))
    except MemoryError:
        verdict = False
    return json.dumps(verdict).encode()
