"""Models that answer the same call once: they pass what every model must, and count calls."""

import asyncio
from pathlib import Path

import pytest

from epf.core.generator import Sampling
from epf.evaluation.memo import Memo, MemoGenerator, MemoRewardModel
from epf.generators.embedded import EmbeddedGenerator
from epf.reward_models.embedded import EmbeddedRewardModel
from tests.contract.generator import GeneratorContract
from tests.contract.reward_model import RewardModelContract
from tests.tiny_model import write_model


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_model(root / "generator", "generator")
    write_model(root / "reward_model", "reward_model")
    return root


class TestGeneratorContract(GeneratorContract):
    @pytest.fixture(autouse=True)
    def _use(self, directory: Path) -> None:
        self.directory = directory

    def open(self) -> MemoGenerator:
        return MemoGenerator(EmbeddedGenerator(self.directory / "generator", max_rows=16))


class TestRewardModelContract(RewardModelContract):
    problem = "How many birds?"
    steps = ("5 birds.", "5 + 2 = 7.", "So 7.")

    @pytest.fixture(autouse=True)
    def _use(self, directory: Path) -> None:
        self.directory = directory

    def open(self) -> MemoRewardModel:
        return MemoRewardModel(EmbeddedRewardModel(self.directory / "reward_model"))


class Counted:
    """Makes a value per call, once it may."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = asyncio.Event()
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def make(self) -> int:
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


def test_callers_at_the_same_time_share_one_making() -> None:
    async def main() -> None:
        memo, counted = Memo[int](), Counted()
        waiting = [asyncio.create_task(memo.get("a", counted.make)) for _ in range(5)]
        await counted.entered.wait()
        counted.go.set()
        assert await asyncio.gather(*waiting) == [1] * 5
        assert await memo.get("a", counted.make) == 1
        assert await memo.get("b", counted.make) == 2

    asyncio.run(main())


def test_one_cancelled_caller_leaves_the_others_their_value() -> None:
    async def main() -> None:
        memo, counted = Memo[int](), Counted()
        gone, stays = (asyncio.create_task(memo.get("a", counted.make)) for _ in range(2))
        await counted.entered.wait()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        counted.go.set()
        assert await stays == 1
        assert not counted.cancelled.is_set()

    asyncio.run(main())


def test_the_last_cancelled_caller_ends_the_making_and_the_next_begins_anew() -> None:
    async def main() -> None:
        memo, counted = Memo[int](), Counted()
        gone = [asyncio.create_task(memo.get("a", counted.make)) for _ in range(2)]
        await counted.entered.wait()
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        counted.go.set()
        assert await memo.get("a", counted.make) == 2
        await asyncio.wait_for(counted.cancelled.wait(), 10)

    asyncio.run(main())


def test_a_failure_goes_to_all_who_wait_and_is_forgotten() -> None:
    async def main() -> None:
        memo, counted = Memo[int](), Counted()
        counted.error = ValueError("down")
        waiting = [asyncio.create_task(memo.get("a", counted.make)) for _ in range(3)]
        await counted.entered.wait()
        counted.go.set()
        assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["down"] * 3
        counted.error = None
        assert await memo.get("a", counted.make) == 2

    asyncio.run(main())


def test_the_least_recently_used_goes_first() -> None:
    async def main() -> None:
        memo, counted = Memo[int](room=2), Counted()
        counted.go.set()
        for key in "abac":
            await memo.get(key, counted.make)
        assert await memo.get("a", counted.make) == 1
        assert await memo.get("b", counted.make) == 4

    asyncio.run(main())


def test_a_step_is_known_by_prefix_sampling_and_seed(directory: Path) -> None:
    async def main() -> None:
        inner = EmbeddedGenerator(directory / "generator", max_rows=16)
        generator = MemoGenerator(inner)
        cooler = Sampling(temperature=0.5)
        calls = [((1, 2), Sampling(), 1), ((1, 2, 3), Sampling(), 1), ((1, 2), cooler, 1), ((1, 2), Sampling(), 2)]
        for call in calls:
            assert await generator.step(*call) == await inner.step(*call)
        computed = inner.n_computed
        for call in calls:
            await generator.step(*call)
        assert inner.n_computed == computed
        await generator.aclose()

    asyncio.run(main())
