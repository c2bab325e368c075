"""A thread that owns an engine and takes work from any event loop.

Jobs that arrive while the engine runs join its next iteration, so that all callers share its batch. The thread is a daemon; it
starts with the first job and blocks on a queue while there is nothing to do. Cancelling the waiting task cancels the job. An
exception of the engine fails every open job and leaves the engine empty, so that nobody waits forever.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from epf.core.errors import SearchServiceError

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class Job(Generic[Request, Result]):
    """A request and the future of its result."""

    request: Request
    future: "Future[Result]" = field(default_factory=Future)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self.future.cancelled()

    def finish(self, result: Result) -> None:
        """Deliver the result unless the job was cancelled."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Raise ``error`` in the waiting task unless the job was cancelled."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Engine(Protocol[Request, Result]):
    """What the thread runs; only that thread calls it."""

    def advance(self, arrived: list[Job[Request, Result]]) -> bool:
        """Accept new jobs, do one iteration and return whether there is more to do."""

    def clear(self) -> list[Job[Request, Result]]:
        """Forget all open jobs and return them."""


class Batcher(Generic[Request, Result]):
    """Runs ``engine`` in a thread. ``error`` makes the exception that callers see if the engine fails or is closed."""

    def __init__(self, name: str, engine: Engine[Request, Result], error: Callable[[str], SearchServiceError]) -> None:
        self._name = name
        self._engine = engine
        self._error = error
        self._queue: queue.SimpleQueue[Job[Request, Result] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()

    async def run(self, request: Request) -> Result:
        """Return the engine's result for ``request``."""
        job: Job[Request, Result] = Job(request)
        with self._lock:
            self.check()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._queue.put(job)
        return await asyncio.wrap_future(job.future)

    def check(self) -> None:
        """Raise the error that :meth:`run` would raise now, if the batcher is closed or its thread has died."""
        if self._closed:
            raise self._error(f"The {self._name} is closed.")
        if self._thread is not None and not self._thread.is_alive():
            raise self._error(f"The thread of the {self._name} has died.")

    async def aclose(self) -> None:
        """Fail open jobs and wait for the thread to end. A second call does nothing."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        busy = False
        while True:
            arrived = self._arrivals(wait=not busy)
            if None in arrived:
                jobs = [job for job in arrived if job is not None] + self._engine.clear()
                self._fail(jobs, f"The {self._name} is closed.", None)
                return
            try:
                busy = self._engine.advance([job for job in arrived if job is not None])
            except Exception as exception:
                self._fail(self._engine.clear(), f"The {self._name} failed: {exception!r}", exception)
                busy = False

    def _arrivals(self, wait: bool) -> list[Job[Request, Result] | None]:
        """Everything in the queue; with ``wait``, block until there is something."""
        arrived = [self._queue.get()] if wait else []
        while True:
            try:
                arrived.append(self._queue.get_nowait())
            except queue.Empty:
                return arrived

    def _fail(self, jobs: list[Job[Request, Result]], message: str, cause: Exception | None) -> None:
        for job in jobs:
            error = self._error(message)
            error.__cause__ = cause
            job.fail(error)
