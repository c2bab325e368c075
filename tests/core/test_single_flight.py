"""Concurrent calls for one key share a computation; results are kept, errors are not."""

import asyncio

import pytest

from epf.core.bounded_cache import ENTRY_BYTES, BoundedCache
from epf.core.single_flight import SingleFlight

Flights = SingleFlight[str, int]


def kept(n: int) -> BoundedCache[str, int]:
    """Room for that many results."""
    return BoundedCache(n * ENTRY_BYTES, lambda _key, _value: 0)


class Computation:
    """Returns the number of its call, once ``go`` is set."""

    def __init__(self) -> None:
        self.calls = 0
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.ended = False
        self.error: Exception | None = None

    async def run(self) -> int:
        self.calls += 1
        n = self.calls
        self.entered.set()
        try:
            await self.go.wait()
        finally:
            await asyncio.sleep(0)
            self.ended = True
        if self.error is not None:
            raise self.error
        return n


async def get(flights: Flights, key: str, computation: Computation) -> int:
    value, _ = await flights.get(key, computation.run)
    return value


def test_concurrent_callers_share_one_computation_and_results_are_kept() -> None:
    async def main() -> None:
        flights, computation = Flights(kept(100)), Computation()
        callers = [asyncio.create_task(flights.get("a", computation.run)) for _ in range(5)]
        await computation.entered.wait()
        computation.go.set()
        assert await asyncio.gather(*callers) == [(1, True)] + [(1, False)] * 4
        assert await flights.get("a", computation.run) == (1, False)
        assert await flights.get("b", computation.run) == (2, True)

    asyncio.run(main())


def test_nothing_is_kept_by_default() -> None:
    async def main() -> None:
        flights, computation = Flights(), Computation()
        computation.go.set()
        assert await flights.get("a", computation.run) == (1, True)
        assert await flights.get("a", computation.run) == (2, True)

    asyncio.run(main())


def test_a_cancelled_caller_leaves_the_others_their_value() -> None:
    async def main() -> None:
        flights, computation = Flights(), Computation()
        cancelled, other = (asyncio.create_task(get(flights, "a", computation)) for _ in range(2))
        await computation.entered.wait()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        computation.go.set()
        assert await other == 1

    asyncio.run(main())


def test_the_last_cancelled_caller_cancels_the_computation_and_waits_for_its_end() -> None:
    async def main() -> None:
        flights, computation = Flights(kept(1)), Computation()
        callers = [asyncio.create_task(get(flights, "a", computation)) for _ in range(2)]
        await computation.entered.wait()
        for caller in callers:
            caller.cancel()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        assert computation.ended
        computation.go.set()
        assert await get(flights, "a", computation) == 2

    asyncio.run(main())


def test_an_error_goes_to_all_callers_and_is_not_kept() -> None:
    async def main() -> None:
        flights, computation = Flights(kept(1)), Computation()
        computation.error = ValueError("down")
        callers = [asyncio.create_task(get(flights, "a", computation)) for _ in range(3)]
        await computation.entered.wait()
        computation.go.set()
        assert [str(error) for error in await asyncio.gather(*callers, return_exceptions=True)] == ["down"] * 3
        computation.error = None
        assert await get(flights, "a", computation) == 2

    asyncio.run(main())


def test_the_least_recently_used_result_is_dropped_first() -> None:
    async def main() -> None:
        flights, computation = Flights(kept(2)), Computation()
        computation.go.set()
        for key in "abac":
            await get(flights, key, computation)
        assert await get(flights, "a", computation) == 1
        assert await get(flights, "b", computation) == 4

    asyncio.run(main())


def test_closing_cancels_computations_and_raises_its_error() -> None:
    async def main() -> None:
        flights, computation = Flights(), Computation()
        callers = [asyncio.create_task(get(flights, "a", computation)) for _ in range(2)]
        await computation.entered.wait()
        flights.check_open()
        await flights.aclose(lambda: ValueError("closed"))
        assert computation.ended
        assert [str(error) for error in await asyncio.gather(*callers, return_exceptions=True)] == ["closed"] * 2
        with pytest.raises(ValueError, match="closed"):
            await get(flights, "a", computation)
        with pytest.raises(ValueError, match="closed"):
            flights.check_open()

    asyncio.run(main())
