"""Models that compute a repeated call once: they pass the contract of every model, and count calls."""

import asyncio
from pathlib import Path

import pytest

from epf.core.generator import Sampling
from epf.evaluation.memo import MemoGenerator, MemoRewardModel
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


def test_a_step_is_identified_by_prefix_sampling_and_seed(directory: Path) -> None:
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
