r"""The process that asks Math-Verify. Run by path, ``python -P worker.py LIMIT_S``, so it imports nothing of this project.

Protocol, one JSON value a line: first ``"ready"``, then for each request ``[a, b]`` either ``true`` or ``false``.

Math-Verify's own time limits use SIGALRM handlers, which Python runs only between byte codes and only in the main thread, and a
power of huge integers is one byte code. They are off. The parent kills this process at the limit; should the parent be gone,
the kernel does (an alarm without a handler). Idle, it ends with its standard input.
"""

import json
import logging
import os
import signal
import sys
from functools import lru_cache
from typing import IO, Any

from math_verify import parse, verify
from sympy import Expr, UnevaluatedExpr  # type: ignore[import-untyped]

MEMORY_BYTES = 2 * 1024**3
"""Address space of a worker: a number with a billion digits raises MemoryError instead of taking the machine with it."""

_FAR = 1e-4  # Math-Verify rounds to 6 places
_DELIMITERS = ("$", "\\(", "\\[", "\\boxed")


@lru_cache(maxsize=256)
def parsed(answer: str) -> list[Any]:
    """What Math-Verify reads in ``answer``: LaTeX with or without delimiters, or an expression in plain text."""
    text = answer if any(d in answer for d in _DELIMITERS) else f"${answer}$"
    found: list[Any] = parse(text, parsing_timeout=None)
    return found


@lru_cache(maxsize=256)
def value(answer: str) -> complex | None:
    """Approximate value of an answer that is a number; None for anything else, and for percentages, which Math-Verify bends."""
    number = parsed(answer)[0]
    return None if number.has(UnevaluatedExpr) else complex(number.evalf(15))


def same(a: str, b: str) -> bool:
    """Whether two answers are equal with either of them taken as the gold one.

    ``verify`` is not symmetric: a predicted tuple matches a gold set, but not the other way round. Numbers that are far apart
    are told apart without it, since it takes long to find that they are different.
    """
    left, right = parsed(a), parsed(b)
    if all(answer and isinstance(answer[0], Expr) and answer[0].is_number for answer in (left, right)):
        x, y = value(a), value(b)
        if x is not None and y is not None and abs(x - y) > _FAR * max(1.0, abs(x)):
            return False
    return all(verify(x, y, timeout_seconds=None, allow_set_relation_comp=True) for x, y in ((left, right), (right, left)))


def serve(requests: IO[str], replies: IO[str], limit_s: float) -> None:
    """Answer requests until their stream ends. Whatever an odd input raises means "not equal"."""

    def reply(value: object) -> None:
        replies.write(json.dumps(value) + "\n")
        replies.flush()

    same("2x", r"\frac{x}{2}")  # SymPy imports and compiles much when first used, which is not the first question's fault
    reply("ready")
    for line in requests:
        a, b = json.loads(line)
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, limit_s + 1.0)
        try:
            verdict = same(a, b)
        except Exception:
            verdict = False
        reply(verdict)
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Serve on standard input and output; anything else that is printed goes nowhere."""
    logging.disable()
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with open(0, encoding="utf-8", closefd=False) as requests:
        serve(requests, replies, float(sys.argv[1]))


if __name__ == "__main__":
    main()
