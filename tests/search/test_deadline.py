"""A deadline that is set while searches run ends them as their own would, with the best answer so far."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Never

import pytest

from epf.core.errors import DeadlineExceeded
from epf.core.generator import Step
from epf.search import SearchResult, asolve
from epf.search.answers.checker import AnswerChecker
from epf.service.operations.lifecycle import Deadline
from tests.search.scripted import AT_ONCE, SEARCHES, Call, Generator, Models, RewardModel, Writer, drive, hold, step, ways


def now() -> float:
    return asyncio.get_running_loop().time()


def one_finishes(call: Call) -> Step | Awaitable[Step]:
    return step("\\boxed{7}", "eos") if call.n == 0 else hold()


async def begun(n: int, write: Writer, until: Deadline, **options: Any) -> tuple[asyncio.Task[SearchResult], Generator]:
    """A search in which ``n`` calls of the generator are running."""
    generator = Generator(write)
    models: Models = {"generator": generator, "reward_model": RewardModel()}
    searching = asyncio.create_task(asolve("problem", n_particles=n + 1, seed=1, until=until.limit, **models, **options))
    await generator.until_in_flight(n)
    return searching, generator


@pytest.mark.parametrize(("method", "lookahead"), ways(SEARCHES))
def test_running_searches_end_together_with_their_best_answer_so_far(method: str, lookahead: str) -> None:
    async def scenario() -> None:
        until = Deadline()
        begun_ones = [
            await begun(3, one_finishes, until, method=method, lookahead=lookahead, **AT_ONCE.get(method, {})) for _ in range(2)
        ]
        bystander, held = await begun(3, one_finishes, Deadline())
        assert not until.over
        until.set(now())
        assert until.over
        for searching, generator in begun_ones:
            result = await searching
            assert (result.answer, result.stop_reason) == ("7", "deadline")
            assert generator.in_flight == 0
        assert held.in_flight == 3
        bystander.cancel()
        await asyncio.gather(bystander, return_exceptions=True)

    drive(scenario())


def test_a_search_that_begins_after_the_deadline_has_no_answer() -> None:
    async def scenario() -> None:
        until = Deadline()
        until.set(now())
        with pytest.raises(DeadlineExceeded):
            await asolve("problem", until=until.limit, generator=Generator(hold), reward_model=RewardModel())

    drive(scenario())


def test_the_own_deadline_of_a_search_and_cancellation_still_work() -> None:
    async def scenario() -> None:
        until = Deadline()
        until.set(now() + 1e6)
        models: Models = {"generator": Generator(one_finishes), "reward_model": RewardModel()}
        assert (await asolve("problem", until=until.limit, max_seconds=0.02, **models)).stop_reason == "deadline"
        searching, generator = await begun(3, one_finishes, until)
        searching.cancel()
        until.set(now())
        with pytest.raises(asyncio.CancelledError):
            await searching
        assert generator.in_flight == 0

    drive(scenario())


def test_the_deadline_ends_the_grading_of_answers_too() -> None:
    class NeverDone(AnswerChecker):
        def __init__(self) -> None:
            super().__init__()
            self.entered = asyncio.Event()

        async def classes(self, answers: Sequence[str | None]) -> Never:
            self.entered.set()
            await asyncio.Event().wait()
            raise AssertionError("nobody sets this event")

    async def scenario() -> None:
        until, checker = Deadline(), NeverDone()
        generator = Generator(lambda call: step("\\boxed{x}" if call.n < 2 else "\\boxed{y}", "eos"))
        searching = asyncio.create_task(
            asolve(
                "problem", checker=checker, until=until.limit, n_particles=3, generator=generator, reward_model=RewardModel()
            )
        )
        await checker.entered.wait()
        until.set(now())
        result = await searching
        assert [(share.answer, share.n_particles) for share in result.distribution] == [("x", 2), ("y", 1)]
        assert [warning.code for warning in result.warnings] == ["compared_as_text"]

    drive(scenario())


def test_a_deadline_can_be_moved_and_leaves_ended_blocks_alone() -> None:
    async def scenario() -> None:
        deadline = Deadline()
        order = []

        async def waits(grace_s: float) -> None:
            async with deadline.limit(grace_s):
                try:
                    await asyncio.Event().wait()
                finally:
                    deadline.set(now())  # while this block is being left

        async def ends(name: str, grace_s: float) -> None:
            with pytest.raises(TimeoutError):
                await waits(grace_s)
            order.append(name)

        tasks = [asyncio.create_task(ends(name, grace_s)) for name, grace_s in (("late", 0.02), ("early", 0.0))]
        async with deadline.limit():
            pass
        await asyncio.sleep(0)
        deadline.set(now() + 1e6)
        deadline.set(now())
        await asyncio.gather(*tasks)
        assert order == ["early", "late"]

    drive(scenario())
