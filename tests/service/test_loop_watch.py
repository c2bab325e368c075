"""The holds of the event loop that the metrics report."""

import asyncio
import selectors
from collections.abc import Iterator

import pytest

from epf.service.operations.loop_watch import WINDOW_S, LoopWatch, WatchedSelector, watched_loop


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def samples(watch: LoopWatch) -> dict[str, float]:
    """All samples by name and bound."""

    def named() -> Iterator[tuple[str, float]]:
        for metric in watch.collect():
            for sample in metric.samples:
                yield sample.name.removeprefix("epf_event_loop_") + sample.labels.get("le", ""), sample.value

    return dict(named())


def test_every_hold_is_counted_under_its_bound() -> None:
    watch = LoopWatch(Clock())
    for seconds in (0.0004, 0.045, 0.05, 7.0):
        watch.observe(seconds, seconds / 10)
    seen = samples(watch)
    assert seen["hold_seconds_bucket0.001"] == 1
    assert seen["hold_seconds_bucket0.04"] == 1
    assert seen["hold_seconds_bucket0.05"] == 3
    assert seen["hold_seconds_bucket5.0"] == 3
    assert seen["hold_seconds_bucket+Inf"] == seen["hold_seconds_count"] == 4
    assert seen["hold_seconds_sum"] == pytest.approx(7.0954)
    assert seen["hold_cpu_seconds_bucket0.005"] == 3
    assert seen["hold_cpu_seconds_sum"] == pytest.approx(0.70954)


def test_the_longest_hold_is_reported_for_at_least_a_window_and_at_most_two() -> None:
    clock = Clock()
    watch = LoopWatch(clock)
    clock.now_s = WINDOW_S - 1
    watch.observe(0.3, 0.0)
    watch.observe(0.1, 0.0)
    assert samples(watch)["longest_hold_seconds"] == 0.3
    clock.now_s = 2 * WINDOW_S - 1
    watch.observe(0.2, 0.0)
    assert samples(watch)["longest_hold_seconds"] == 0.3
    clock.now_s = 2 * WINDOW_S + 1
    assert samples(watch)["longest_hold_seconds"] == 0.2
    clock.now_s = 9 * WINDOW_S
    assert samples(watch)["longest_hold_seconds"] == 0.0


def test_the_loop_reports_what_holds_it() -> None:
    clock, cpu_clock = Clock(), Clock()
    watch = LoopWatch(clock, cpu_clock)

    async def hold() -> None:
        for seconds in (0.2, 0.0, 0.3):
            clock.now_s += seconds
            cpu_clock.now_s += seconds / 2
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: watched_loop(watch)) as runner:
        runner.run(hold())
    seen = samples(watch)
    assert seen["longest_hold_seconds"] == pytest.approx(0.3)
    assert seen["hold_seconds_sum"] == pytest.approx(0.5)
    assert seen["hold_cpu_seconds_sum"] == pytest.approx(0.25)
    assert seen["hold_seconds_count"] - seen["hold_seconds_bucket0.1"] == 2


def test_a_wait_that_ends_late_belongs_to_the_hold_and_the_wait_itself_does_not() -> None:
    clock = Clock()
    watch = LoopWatch(clock)

    class Waiting(WatchedSelector):
        """Another thread keeps the interpreter for a second after each wait."""

        def wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
            clock.now_s += (timeout or 0.0) + 1.0
            return []

    selector = Waiting(watch)
    selector.select(5.0)
    selector.select(None)
    selector.select(0.0)
    selector.select(0.0)
    seen = samples(watch)
    assert seen["hold_seconds_count"] == 3
    assert seen["hold_seconds_sum"] == pytest.approx(2 * 0.999), "after the wait without a timeout, nothing is known"
    selector.close()
