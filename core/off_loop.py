"""Work on long texts, such as tokenizing them, done in a thread so that the event loop goes on meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

LONG_CHARS: Final = 4000
"""Length of texts from which a thread is worth its while: tokenizing them takes several milliseconds."""


async def off_loop(n_chars: int, work: Callable[[], T]) -> T:
    """Return ``work()`` for texts of ``n_chars`` characters in all: at once, or from a thread if they are long.

    Cancelling the call does not end the work in the thread, whose result is then dropped.
    """
    return work() if n_chars < LONG_CHARS else await asyncio.to_thread(work)
