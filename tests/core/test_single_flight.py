"""Concurrent calls for one key share a computation."""

import asyncio

import pytest

from epf.core.single_flight import SingleFlight


class Counted:
    """A computation whose calls return 1, 2, ... once ``go`` is set."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = asyncio.Event()
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def compute(self) -> int:
        self.calls += 1
        n = self.calls
        self.entered.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.error is not None:
            raise self.error
        return n


def test_concurrent_callers_share_one_computation() -> None:
    async def main() -> None:
        flights, counted = SingleFlight[str, int](max_kept=2), Counted()
        waiting = [asyncio.create_task(flights.get("a", counted.compute)) for _ in range(5)]
        await counted.entered.wait()
        counted.go.set()
        assert await asyncio.gather(*waiting) == [(1, True), *[(1, False)] * 4]
        assert await flights.get("a", counted.compute) == (1, False)
        assert await flights.get("b", counted.compute) == (2, True)

    asyncio.run(main())


def test_a_cancelled_caller_leaves_the_others_their_value() -> None:
    async def main() -> None:
        flights, counted = SingleFlight[str, int](), Counted()
        gone, stays = (asyncio.create_task(flights.get("a", counted.compute)) for _ in range(2))
        await counted.entered.wait()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        counted.go.set()
        assert await stays == (1, False)
        assert not counted.cancelled.is_set()

    asyncio.run(main())


def test_the_last_cancelled_caller_ends_the_computation_and_the_next_starts_a_new_one() -> None:
    async def main() -> None:
        flights, counted = SingleFlight[str, int](), Counted()
        gone = [asyncio.create_task(flights.get("a", counted.compute)) for _ in range(2)]
        await counted.entered.wait()
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        counted.go.set()
        assert await flights.get("a", counted.compute) == (2, True)
        await asyncio.wait_for(counted.cancelled.wait(), 10)

    asyncio.run(main())


def test_an_error_is_raised_to_everyone_who_waits_and_not_kept() -> None:
    async def main() -> None:
        flights, counted = SingleFlight[str, int](), Counted()
        counted.error = ValueError("down")
        waiting = [asyncio.create_task(flights.get("a", counted.compute)) for _ in range(3)]
        await counted.entered.wait()
        counted.go.set()
        assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["down"] * 3
        counted.error = None
        assert await flights.get("a", counted.compute) == (2, True)

    asyncio.run(main())


def test_the_least_recently_used_result_is_dropped_first() -> None:
    async def main() -> None:
        flights, counted = SingleFlight[str, int](max_kept=2), Counted()
        counted.go.set()
        for key in "abac":
            await flights.get(key, counted.compute)
        assert await flights.get("a", counted.compute) == (1, False)
        assert await flights.get("b", counted.compute) == (4, True)

    asyncio.run(main())


def test_results_are_not_kept_unless_asked_for() -> None:
    async def main() -> None:
        flights, counted = SingleFlight[str, int](), Counted()
        counted.go.set()
        assert await flights.get("a", counted.compute) == (1, True)
        assert await flights.get("a", counted.compute) == (2, True)

    asyncio.run(main())


def test_closing_cancels_computations_and_raises_its_error_to_open_and_later_calls() -> None:
    async def main() -> None:
        flights, counted = SingleFlight[str, int](), Counted()
        waiting = [asyncio.create_task(flights.get("a", counted.compute)) for _ in range(2)]
        await counted.entered.wait()
        await flights.aclose(lambda: ValueError("closed"))
        assert counted.cancelled.is_set()
        assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["closed"] * 2
        with pytest.raises(ValueError, match="closed"):
            await flights.get("b", counted.compute)

    asyncio.run(main())
