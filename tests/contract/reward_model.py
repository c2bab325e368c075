"""The contract of all reward models. A test class inherits :class:`RewardModelContract` and defines how to open one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from epf.core.errors import ContextTooLong, InvalidRequest, RewardModelError
from epf.core.reward_model import RewardModel

T = TypeVar("T")


class RewardModelContract:
    """Tests that use only the protocol. ``open`` returns a new reward model, which the contract closes.

    Attributes:
        tolerance: maximum difference that other computations at the same time may make to a score.
        too_long: number of repetitions of the steps that exceeds any context.
    """

    problem = "There are 45 birds on a wire. 17 fly away. How many are left?"
    steps = ("There were 45 birds.", "45 - 17 = 28.", "\\boxed{28}")
    tolerance = 1e-5
    too_long = 10_000

    def open(self) -> RewardModel:
        """Return a new reward model."""
        raise NotImplementedError

    def run(self, test: Callable[[RewardModel], Awaitable[T]]) -> T:
        """Run ``test`` on a new reward model within a minute, and close it."""

        async def main() -> T:
            reward_model = self.open()
            try:
                return await test(reward_model)
            finally:
                await reward_model.aclose()

        return asyncio.run(asyncio.wait_for(main(), 60))

    def test_it_has_a_name(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            assert reward_model.name

        self.run(test)

    def test_scores_are_probabilities_and_repeat(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            for n in range(1, len(self.steps) + 1):
                first = await reward_model.score(self.problem, self.steps[:n])
                again = await reward_model.score(self.problem, list(self.steps[:n]))
                assert 0 <= first.probability <= 1
                assert abs(first.probability - again.probability) <= self.tolerance
                assert 0 <= again.n_tokens <= first.n_tokens

        self.run(test)

    def test_the_score_depends_on_the_problem_and_every_step(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            traces = [
                (self.problem, self.steps),
                ("How old is Ann?", self.steps),
                (self.problem, ("There were 54 birds.", *self.steps[1:])),
                (self.problem, (*self.steps[:-1], "\\boxed{29}")),
                (self.problem, self.steps[:-1]),
            ]
            scores = [await reward_model.score(problem, steps) for problem, steps in traces]
            assert len({score.probability for score in scores}) == len(traces)

        self.run(test)

    def test_concurrent_calls_and_their_order_change_nothing(self) -> None:
        traces = [(*self.steps[:n], f"45 - {k} = {45 - k}.") for n in range(3) for k in (17, 18, 17, 19)]

        async def together(reward_model: RewardModel) -> list[float]:
            scores = await asyncio.gather(*(reward_model.score(self.problem, trace) for trace in traces))
            return [score.probability for score in scores]

        async def alone(reward_model: RewardModel) -> list[float]:
            scores = [await reward_model.score(self.problem, trace) for trace in reversed(traces)]
            return [score.probability for score in reversed(scores)]

        assert self.run(together) == pytest.approx(self.run(alone), abs=self.tolerance)

    def test_a_trace_without_steps_is_rejected(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            with pytest.raises(InvalidRequest) as caught:
                await reward_model.score(self.problem, [])
            assert caught.value.param == "steps"

        self.run(test)

    def test_a_trace_beyond_the_context_is_rejected(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            with pytest.raises(ContextTooLong):
                await reward_model.score(self.problem, self.steps * self.too_long)
            assert 0 <= (await reward_model.score(self.problem, self.steps)).probability <= 1

        self.run(test)

    def test_an_empty_step_is_scored(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            assert 0 <= (await reward_model.score(self.problem, ["", self.steps[0]])).probability <= 1
            assert 0 <= (await reward_model.score(self.problem, [""])).probability <= 1

        self.run(test)

    def test_cancelling_one_call_leaves_the_others(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            cancelled = asyncio.create_task(reward_model.score(self.problem, self.steps[:2]))
            kept = asyncio.create_task(reward_model.score(self.problem, self.steps[:1]))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            expected = await reward_model.score(self.problem, self.steps[:1])
            assert abs((await kept).probability - expected.probability) <= self.tolerance

        self.run(test)

    def test_it_is_ready_until_it_is_closed(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            await reward_model.ready()
            await reward_model.aclose()
            with pytest.raises(RewardModelError):
                await reward_model.ready()

        self.run(test)

    def test_a_closed_model_rejects_calls(self) -> None:
        async def test(reward_model: RewardModel) -> None:
            await reward_model.score(self.problem, self.steps)
            await reward_model.aclose()
            with pytest.raises(RewardModelError):
                await reward_model.score(self.problem, self.steps)

        self.run(test)
