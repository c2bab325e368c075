"""Work on the event loop that is shared out over its turns."""

import asyncio
import time

from epf.core.turns import TURN_S, in_turn, turns


def busy() -> int:
    """Work for more than one turn's time; returns the number of turns that the loop had made by then."""
    end_s = time.perf_counter() + TURN_S
    while time.perf_counter() < end_s:
        pass
    return TURNS[0]


TURNS = [0]


async def count_turns() -> None:
    while True:
        TURNS[0] += 1
        await asyncio.sleep(0)


def test_no_two_long_pieces_of_work_are_done_in_one_turn() -> None:
    async def test() -> None:
        counting = asyncio.create_task(count_turns())
        turns = await asyncio.gather(*(in_turn(busy) for _ in range(5)))
        counting.cancel()
        assert turns == sorted(set(turns)), "first come, first served, and each in a turn of its own"

    asyncio.run(asyncio.wait_for(test(), 30))


def test_short_pieces_of_work_share_a_turn() -> None:
    async def test() -> None:
        counting = asyncio.create_task(count_turns())
        turns = await asyncio.gather(*(in_turn(lambda: TURNS[0]) for _ in range(5)))
        counting.cancel()
        assert len(set(turns)) == 1

    asyncio.run(asyncio.wait_for(test(), 30))


def test_a_failure_is_raised_and_its_time_is_counted() -> None:
    def fail() -> None:
        busy()
        raise ValueError("no")

    async def test() -> None:
        try:
            await in_turn(fail)
        except ValueError:
            assert turns().is_over
        else:
            raise AssertionError("nothing was raised")
        assert await in_turn(lambda: 1) == 1

    asyncio.run(asyncio.wait_for(test(), 30))


def test_each_loop_has_turns_of_its_own() -> None:
    async def use_up() -> None:
        await in_turn(busy)  # and no further turn follows

    for _ in range(2):
        asyncio.run(asyncio.wait_for(use_up(), 30))


def test_work_that_goes_on_with_itself_lets_others_have_their_turn() -> None:
    async def test() -> None:
        done: list[str] = []

        def endless() -> None:
            busy()
            done.append("endless")
            if len(done) < 100:
                turns().do_later(endless)

        turns().do(endless)
        await in_turn(lambda: done.append("other"))
        assert done[:2] == ["endless", "other"]
        done.extend([""] * 100)

    asyncio.run(asyncio.wait_for(test(), 30))


def test_work_whose_caller_was_cancelled_is_not_done() -> None:
    async def test() -> None:
        done: list[str] = []
        first = asyncio.create_task(in_turn(busy))
        second = asyncio.create_task(in_turn(lambda: done.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        await first
        await in_turn(lambda: done.append("third"))
        assert done == ["third"]

    asyncio.run(asyncio.wait_for(test(), 30))


def test_work_that_goes_on_is_not_kept_waiting_by_new_work_without_end() -> None:
    async def test() -> None:
        done: list[str] = []

        async def new() -> None:
            while len(done) < 3:
                await in_turn(busy)

        def going_on() -> None:
            done.append("piece")
            if len(done) < 3:
                turns().do_later(going_on)

        turns().do(going_on)
        await asyncio.gather(*(new() for _ in range(3)))

    asyncio.run(asyncio.wait_for(test(), 30))
