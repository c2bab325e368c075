"""Reads answers in processes that can be killed, each answer alone, in the order of :mod:`epf.search.answers.fair_queue`."""

import asyncio
import json
import logging
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from epf.core.bounded_cache import BoundedCache, text_bytes
from epf.core.fork_server import ForkServer, Lane, OverCpuLimit, Reply, Stalled
from epf.core.process_pool import WorkerDied, WorkerUnavailable
from epf.search.answers.fair_queue import FairQueue, Job, Request, slices_s
from epf.search.answers.reading import Reading

logger = logging.getLogger(__name__)

_HANDLER = Path(__file__).with_name("worker.py")
_NICENESS = (0, 4, 6, 15, 19)
"""At the last two levels are answers that hang, nearly always: they leave the processor to all others."""
_N_PROCESSES = (2, 1, 1, 1, 1)
_MAX_REMEMBERED_BYTES = 8 * 2**20


class Reader:
    """Reads each answer once and remembers what it means; an answer over its limit means nothing but its text.

    The limit is CPU time of the one answer, alone in its process: neither other answers nor a busy machine change what an
    answer means. Processes start with the first answer and are killed by :meth:`aclose`. An answer that nobody waits for any
    more is not read; one that is being read is read to its end. Nothing is tied to an event loop.

    Args:
        limit_s: maximum CPU time of one answer, in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._slices_s = slices_s(limit_s)
        lanes = [Lane(*lane) for lane in zip(self._slices_s, _NICENESS, _N_PROCESSES, strict=True)]
        self._processes = ForkServer(_HANDLER, lanes)
        self._changed = threading.Condition()
        self._queue = FairQueue(self._slices_s)
        self._remembered: BoundedCache[str, Reading | None] = BoundedCache(_MAX_REMEMBERED_BYTES, _n_bytes)
        self._threads: list[threading.Thread] = []
        self._closed = False

    async def read(self, text: str, request: Request) -> Reading | None:
        """What ``text`` means, or None if it has to be compared as text."""
        with self._changed:
            if text in self._remembered:
                return self._remembered[text]
            if self._closed:
                return None
            job = Job(text, request, Future())
            job.result.set_running_or_notify_cancel()  # a thread can set the result whatever happens to who waits for it
            self._queue.push(job)
            self._start_threads()
            self._changed.notify_all()
        try:
            return await asyncio.wrap_future(job.result)
        finally:
            job.dropped = True

    async def aclose(self) -> None:
        """Kill the processes, even while they read. Answers that would need one are compared as text from then on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._processes.close()
        for thread in self._threads:
            thread.join()
        self._give_up()

    def _start_threads(self) -> None:
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._serve, args=(level,), name=f"answers-{level}", daemon=True)
                for level in range(len(self._slices_s))
            ]
            for thread in self._threads:
                thread.start()

    def _serve(self, level: int) -> None:
        """Read answers of one level until the reader is closed."""
        while (job := self._next(level)) is not None:
            try:
                reply = self._processes.ask(level, job.text.encode("utf-8", "surrogatepass"))
                self._finish(job, _reading(reply), reply.cpu_s)
            except OverCpuLimit:
                self._over_limit(job)
            except WorkerDied:
                self._finish(job, None, self._slices_s[level])
            except Stalled:
                logger.warning("An answer was compared as text: reading it stood still. The machine may be short of memory.")
                job.result.set_result(None)
            except WorkerUnavailable as error:
                self._unavailable(error)
                job.result.set_result(None)

    def _next(self, level: int) -> Job | None:
        with self._changed:
            while not self._closed:
                job = self._queue.pop(level)
                if job is None:
                    self._changed.wait()
                elif job.text in self._remembered:  # another request had the same answer
                    job.result.set_result(self._remembered[job.text])
                else:
                    return job
        return None

    def _finish(self, job: Job, reading: Reading | None, cpu_s: float) -> None:
        with self._changed:
            self._queue.charge(job, cpu_s)
            self._remembered[job.text] = reading
            job.result.set_result(reading)

    def _over_limit(self, job: Job) -> None:
        with self._changed:
            slice_s = self._slices_s[job.level]
            if self._queue.demote(job):
                self._queue.charge(job, slice_s)
                self._changed.notify_all()
                return
        self._finish(job, None, slice_s)

    def _unavailable(self, error: WorkerUnavailable) -> None:
        """Whatever waits is compared as text now; the next answer tries to start the processes again."""
        if not self._closed:
            fix = f"{sys.executable} -c 'import math_verify'"
            logger.error("The answer worker did not start (%s): answers are compared as numbers and text. Try: %s", error, fix)
        self._give_up()

    def _give_up(self) -> None:
        with self._changed:
            jobs = self._queue.drain()
        for job in jobs:
            job.result.set_result(None)


def _n_bytes(text: str, reading: Reading | None) -> int:
    """Memory of an answer and of what it means."""
    parts = () if reading is None else (reading.key, *reading.also, *reading.units)
    return text_bytes(text) + sum(map(text_bytes, parts))


def _reading(reply: Reply) -> Reading | None:
    """The reading that the worker sent; ``null`` stands for an answer that it cannot read."""
    parts = json.loads(reply.body)
    return None if parts is None else Reading.from_json(parts)
