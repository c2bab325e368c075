r"""Asks Math-Verify in a worker process; a handler of :class:`~epf.core.process_pool.ProcessPool` that imports no ``epf``.

A request is ``[a, b]`` in JSON, the reply ``true`` or ``false``.

Math-Verify's own time limits use SIGALRM handlers, which Python runs only between byte codes and only in the main thread, and a
power of huge integers is one byte code. They are off: the pool kills the process.
"""

import json
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from math_verify import parse, verify
from sympy import Expr, UnevaluatedExpr  # type: ignore[import-untyped]

MEMORY_BYTES = 2 * 1024**3
"""Address space of a worker: a number with a billion digits raises MemoryError instead of taking the machine with it."""

_FAR = 1e-4  # Math-Verify rounds to 6 places
_DELIMITERS = ("$", "\\(", "\\[", "\\boxed")


@lru_cache(maxsize=256)
def parsed(answer: str) -> list[Any]:
    """What Math-Verify parses from ``answer``, which is LaTeX with or without delimiters, or an expression in plain text."""
    text = answer if any(d in answer for d in _DELIMITERS) else f"${answer}$"
    found: list[Any] = parse(text, parsing_timeout=None)
    return found


@lru_cache(maxsize=256)
def value(answer: str) -> complex | None:
    """Approximate value of a number; None for other answers, and for percentages, which Math-Verify distorts."""
    number = parsed(answer)[0]
    return None if number.has(UnevaluatedExpr) else complex(number.evalf(15))


def same(a: str, b: str) -> bool:
    """Whether two answers are equal with either of them taken as the gold one.

    ``verify`` is not symmetric: a predicted tuple matches a gold set, but not the other way round. It takes long
    to find that numbers differ, so numbers that are far apart are compared without it.
    """
    left, right = parsed(a), parsed(b)
    if all(answer and isinstance(answer[0], Expr) and answer[0].is_number for answer in (left, right)):
        x, y = value(a), value(b)
        if x is not None and y is not None and abs(x - y) > _FAR * max(1.0, abs(x)):
            return False
    return all(verify(x, y, timeout_seconds=None, allow_set_relation_comp=True) for x, y in ((left, right), (right, left)))


def start() -> Callable[[bytes], bytes]:
    """Return the function that handles a request."""
    logging.disable()
    # SymPy imports and compiles much when first used, which must not count as the time of the first request.
    same("2x", r"\frac{x}{2}")
    return _handle


def _handle(request: bytes) -> bytes:
    """Any exception on an unusual input means "not equal"."""
    a, b = json.loads(request)
    try:
        verdict = same(a, b)
    except Exception:
        verdict = False
    return json.dumps(verdict).encode()
