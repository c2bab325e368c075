"""What a person sees while models load, and how Ctrl-C ends the process meanwhile."""

import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from epf.evaluation.worker import LoadModels, Models

NOTICE_AFTER_S = 1.0
"""Nothing is shown for what takes less time."""


@contextmanager
def notice(text: str) -> Iterator[None]:
    """Write ``text`` to standard error if the block takes longer than a second and standard error is a terminal."""
    timer = threading.Timer(NOTICE_AFTER_S, print, (f"epf: {text}",), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


@asynccontextmanager
async def loaded(load_models: "LoadModels", notices: ExitStack) -> "AsyncIterator[Models]":
    """Models to search with, closed at the end; ``notices`` is closed when they are ready."""
    async with AsyncExitStack() as stack:
        with notices, exits_on_interrupt():
            models = await stack.enter_async_context(load_models())
        yield models


@contextmanager
def exits_on_interrupt() -> Iterator[None]:
    """End the process on Ctrl-C at once: a thread that loads weights cannot be interrupted, and Python would wait for it."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):  # ignored, or not Python's
        yield
        return
    signal.signal(signal.SIGINT, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _exit(*_: object) -> None:
    import multiprocessing

    print("\n" * sys.stderr.isatty() + "epf: interrupted", file=sys.stderr, flush=True)
    for child in multiprocessing.active_children():
        child.terminate()
    os._exit(130)
