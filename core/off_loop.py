"""Work on texts, such as tokenizing them, that lets the event loop go on meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, TypeVar

from epf.core.turns import in_turn

T = TypeVar("T")

LONG_CHARS: Final = 1000
"""Length of texts from which a thread is worth its while: tokenizing them takes a millisecond or more."""

# One thread: several would compete with the event loop for the interpreter, which makes everybody wait.
_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="long-texts")


async def off_loop(n_chars: int, work: Callable[[], T]) -> T:
    """Return ``work()`` for texts of ``n_chars`` characters in all: from the thread for long texts, else in a turn of the loop.

    Cancelling the call does not end the work in the thread, whose result is then dropped.
    """
    return await (in_turn(work) if n_chars < LONG_CHARS else in_thread(work))


async def in_thread(work: Callable[[], T]) -> T:
    """Return ``work()``, which is done in the thread for long texts, one piece of work after the other."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(copy_context().run, work))
