"""How long the event loop is held: the time during which no other request is served, measured at every turn of the loop.

The loop waits for sockets and timers, then runs all that is due, then waits again. What lies between two waits is a *hold*. It
is measured where the loop waits, so that every hold is seen and an idle server is never woken for it. A wait that ends late,
because a thread kept the interpreter, belongs to the hold.
"""

import asyncio
import selectors
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
WINDOW_S: Final = 60.0
"""The longest hold is reported for one to two windows, so that no scrape in that time misses it."""


class LoopWatch(Collector):
    """Records the holds of one event loop. Written by the loop's thread only, so it needs no lock.

    Args:
        clock: returns monotonic seconds.
        cpu_clock: returns the processor time of this thread, in seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, cpu_clock: Callable[[], float] = time.thread_time
    ) -> None:
        self.clock = clock
        self.cpu_clock = cpu_clock
        self._holds = _Counts()
        self._worked = _Counts()
        self._since_s = clock()
        self._longest_s = 0.0
        self._longest_before_s = 0.0

    def observe(self, seconds: float, cpu_seconds: float) -> None:
        """Record one hold and the processor time that the loop took meanwhile."""
        self._holds.add(seconds)
        self._worked.add(cpu_seconds)
        self._move_on()
        self._longest_s = max(self._longest_s, seconds)

    @property
    def longest_s(self) -> float:
        """The longest hold of this window and the one before, in seconds."""
        self._move_on()
        return max(self._longest_s, self._longest_before_s)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        yield self._holds.family(
            "epf_event_loop_hold_seconds", "Time for which one turn of the event loop kept all other requests waiting."
        )
        yield self._worked.family(
            "epf_event_loop_hold_cpu_seconds",
            "Processor time of the same turns. Much less than their duration means that the machine is busy with other work.",
        )
        longest = GaugeMetricFamily(
            "epf_event_loop_longest_hold_seconds",
            "Longest time for which one turn of the event loop kept all other requests waiting, within one to two minutes.",
        )
        longest.add_metric((), self.longest_s)
        yield longest

    def _move_on(self) -> None:
        """Begin a new window if the current one is over."""
        n_over = (self.clock() - self._since_s) // WINDOW_S
        if n_over:
            self._longest_before_s = self._longest_s if n_over == 1 else 0.0
            self._longest_s = 0.0
            self._since_s += n_over * WINDOW_S


class _Counts:
    """Durations by bucket."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(BUCKETS_S, seconds)] += 1
        self._sum_s += seconds

    def family(self, name: str, documentation: str) -> Metric:
        """All of them as a histogram."""
        bounds = [*map(str, BUCKETS_S), "+Inf"]
        family = HistogramMetricFamily(name, documentation)
        family.add_metric((), list(zip(bounds, accumulate(self._counts), strict=True)), self._sum_s)
        return family


class WatchedSelector(selectors.DefaultSelector):
    """The selector of an event loop, which measures the time between its calls."""

    def __init__(self, watch: LoopWatch) -> None:
        super().__init__()
        self._watch = watch
        self._held_since_s: float | None = None
        self._worked_since_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as the loop asks for; see :meth:`selectors.BaseSelector.select`."""
        clock = self._watch.clock
        begun_s = clock()
        if self._held_since_s is not None:
            self._watch.observe(begun_s - self._held_since_s, self._watch.cpu_clock() - self._worked_since_s)
        ready = self.wait(timeout)
        ended_s, self._worked_since_s = clock(), self._watch.cpu_clock()
        # It may not wait longer than the timeout, which the system rounds up to milliseconds.
        self._held_since_s = ended_s if timeout is None else min(ended_s, begun_s + max(timeout, 0.0) + 0.001)
        return ready

    def wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for what is registered, or for the time."""
        return super().select(timeout)


def watched_loop(watch: LoopWatch) -> asyncio.AbstractEventLoop:
    """A new event loop whose holds are recorded."""
    return asyncio.SelectorEventLoop(WatchedSelector(watch))
