"""The thread between event loops and an engine: jobs join, are cancelled and fail, and nobody waits forever."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from epf.core.errors import GeneratorError
from epf.engines.onnx.batcher import Batcher, Job

NumberJob = Job[int, int]


class Doubler:
    """Doubles all open numbers in one iteration once ``gate`` is released; -1 raises an error, -2 ends its thread."""

    def __init__(self) -> None:
        self.open: list[NumberJob] = []
        self.batches: list[list[int]] = []
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)

    def advance(self, arrived: list[NumberJob]) -> bool:
        self.open += arrived
        self.entered.release()
        self.gate.acquire()
        self.batches.append([job.request for job in self.open if not job.cancelled])
        if -1 in self.batches[-1]:
            raise ZeroDivisionError("minus one")
        if -2 in self.batches[-1]:
            raise SystemExit
        for job in self.clear():
            job.finish(2 * job.request)
        return False

    def clear(self) -> list[NumberJob]:
        jobs, self.open = self.open, []
        return jobs


def run(test: Callable[["Batcher[int, int]", Doubler], Awaitable[None]]) -> None:
    """Run a coroutine function with a batcher that is closed at the end."""

    async def main() -> None:
        engine = Doubler()
        batcher = Batcher("doubler", engine, GeneratorError)
        try:
            await test(batcher, engine)
        finally:
            engine.gate.release(100)
            await batcher.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_waiting_jobs_share_an_iteration() -> None:
    async def test(batcher: "Batcher[int, int]", engine: Doubler) -> None:
        first = asyncio.create_task(batcher.run(1))
        await asyncio.to_thread(engine.entered.acquire)
        others = [asyncio.create_task(batcher.run(i)) for i in range(2, 6)]
        await asyncio.sleep(0)
        engine.gate.release(2)
        assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
        assert engine.batches == [[1], [2, 3, 4, 5]]

    run(test)


def test_several_event_loops_share_the_thread() -> None:
    engine = Doubler()
    engine.gate.release(100)
    batcher = Batcher("doubler", engine, GeneratorError)
    results: list[int] = []

    def caller(i: int) -> None:
        results.append(asyncio.run(batcher.run(i)))

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [2 * i for i in range(8)]
    asyncio.run(batcher.aclose())


def test_cancelled_job_is_dropped_and_others_go_on() -> None:
    async def test(batcher: "Batcher[int, int]", engine: Doubler) -> None:
        cancelled, kept = asyncio.create_task(batcher.run(1)), asyncio.create_task(batcher.run(2))
        await asyncio.to_thread(engine.entered.acquire)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        engine.gate.release(2)
        assert await kept == 4
        assert engine.batches[0] in ([2], [])

    run(test)


def test_exception_fails_every_open_job_and_the_next_one_works() -> None:
    async def test(batcher: "Batcher[int, int]", engine: Doubler) -> None:
        first = asyncio.create_task(batcher.run(1))
        await asyncio.to_thread(engine.entered.acquire)
        bad, other = asyncio.create_task(batcher.run(-1)), asyncio.create_task(batcher.run(3))
        await asyncio.sleep(0)
        engine.gate.release(2)
        assert await first == 2
        for task in (bad, other):
            with pytest.raises(GeneratorError, match="doubler failed: ZeroDivisionError") as caught:
                await task
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
        engine.gate.release()
        assert await batcher.run(5) == 10

    run(test)


def test_close_while_busy_fails_open_jobs_and_ends_the_thread() -> None:
    async def test(batcher: "Batcher[int, int]", engine: Doubler) -> None:
        running = asyncio.create_task(batcher.run(1))
        await asyncio.to_thread(engine.entered.acquire)
        waiting = asyncio.create_task(batcher.run(2))
        closing = asyncio.create_task(batcher.aclose())
        await asyncio.sleep(0)
        engine.gate.release()
        await closing
        assert await running == 2
        with pytest.raises(GeneratorError, match="doubler is closed"):
            await waiting
        with pytest.raises(GeneratorError, match="doubler is closed"):
            await batcher.run(3)
        assert "doubler" not in [thread.name for thread in threading.enumerate()]

    run(test)


def test_the_thread_starts_with_the_first_job() -> None:
    batcher = Batcher("sleeper", Doubler(), GeneratorError)
    assert "sleeper" not in [thread.name for thread in threading.enumerate()]
    asyncio.run(batcher.aclose())
    asyncio.run(batcher.aclose())


def test_a_closed_event_loop_does_not_stop_the_others() -> None:
    engine = Doubler()
    batcher = Batcher("doubler", engine, GeneratorError)

    async def leave() -> None:
        task = asyncio.create_task(batcher.run(1))
        await asyncio.to_thread(engine.entered.acquire)
        task.cancel()

    asyncio.run(leave())
    engine.gate.release(100)
    assert asyncio.run(batcher.run(2)) == 4
    asyncio.run(batcher.aclose())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_reported() -> None:
    async def test(batcher: "Batcher[int, int]", engine: Doubler) -> None:
        batcher.check()
        engine.gate.release(100)
        assert await batcher.run(1) == 2
        batcher.check()
        lost = asyncio.create_task(batcher.run(-2))
        await asyncio.sleep(0)
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "doubler")
        await asyncio.to_thread(thread.join)
        with pytest.raises(GeneratorError, match="has died"):
            batcher.check()
        with pytest.raises(GeneratorError, match="has died"):
            await batcher.run(1)
        lost.cancel()

    run(test)
