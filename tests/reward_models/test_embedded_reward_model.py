"""The embedded reward model on a random model: the contract, and exactly the outputs of that model."""

import asyncio
from pathlib import Path

import pytest
from scipy import special

from epf.core.errors import InvalidRequest, RewardModelError
from epf.core.generator import Message
from epf.core.reward_model import Score
from epf.engines.tokenizer import ChatTokenizer
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from tests.contract.reward_model import RewardModelContract
from tests.tiny_model import SEPARATOR_ID, Floats, forward, write_model

PROBLEM = "How many birds?"
STEPS = ("5 birds.", "5 + 2 = 7.", "So 7.")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny-reward-model"
    write_model(path, "reward_model")
    return path


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Floats]:
    return write_model(tmp_path_factory.mktemp("models") / "same-weights", "reward_model")


class TestContract(RewardModelContract):
    problem = PROBLEM
    steps = STEPS

    @pytest.fixture(autouse=True)
    def _use(self, directory: Path) -> None:
        self.directory = directory

    def open(self) -> EmbeddedRewardModel:
        return EmbeddedRewardModel(self.directory)


def trace_ids(directory: Path, steps: tuple[str, ...]) -> tuple[int, ...]:
    tokenizer = ChatTokenizer(directory)
    ids = tokenizer.render([Message("user", PROBLEM)])
    for step in steps:
        ids += (*tokenizer.encode(step), SEPARATOR_ID)
    return ids


def score(reward_model: EmbeddedRewardModel, traces: list[tuple[str, ...]]) -> list[Score]:
    async def main() -> list[Score]:
        scores = await asyncio.gather(*(reward_model.score(PROBLEM, trace) for trace in traces))
        await reward_model.aclose()
        return scores

    return asyncio.run(main())


def test_the_probability_is_read_at_the_last_separator(directory: Path, tensors: dict[str, Floats]) -> None:
    traces = [STEPS[:1], STEPS[:2], STEPS, (*STEPS[:2], "So 8."), (STEPS[0], "No."), ("No.", *STEPS)]
    for trace, result in zip(traces, score(EmbeddedRewardModel(directory), traces), strict=True):
        expected = special.expit(forward(tensors, trace_ids(directory, trace))[-1, 0])
        assert result.probability == pytest.approx(expected, abs=1e-5)


def test_a_blank_line_in_a_step_is_not_a_step_boundary(directory: Path) -> None:
    (trace,) = score(EmbeddedRewardModel(directory), [("5 birds.\n\nSo 7.",)])
    assert trace.n_tokens == len(trace_ids(directory, ("5 birds.", "So 7."))) + 1  # two newlines, not one separator


def test_only_new_tokens_are_computed(directory: Path) -> None:
    reward_model = EmbeddedRewardModel(directory)
    traces = [STEPS[:1], ("6 birds.",), STEPS[:2], STEPS, STEPS]
    lengths = [len(trace_ids(directory, trace)) for trace in traces]
    computed = [result.n_tokens for result in score(reward_model, traces)]
    assert computed == [lengths[0], len("6 birds.") + 1, lengths[2] - lengths[0], lengths[3] - lengths[2], 0]


def test_a_dropped_trace_is_computed_again(directory: Path) -> None:
    traces = [STEPS[:n] for n in (1, 2, 3)] * 2
    kept, forgotten = (score(EmbeddedRewardModel(directory, max_cache_bytes=size), traces) for size in (2**20, 1))
    assert [s.probability for s in kept] == pytest.approx([s.probability for s in forgotten], abs=1e-5)
    assert [s.n_tokens for s in forgotten] == [len(trace_ids(directory, trace)) for trace in traces]


def test_a_failing_engine_fails_its_calls_and_recovers(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError("no memory")

    async def main() -> None:
        reward_model = EmbeddedRewardModel(directory)
        with monkeypatch.context() as patch:
            patch.setattr("epf.engines.onnx.decoder.Decoder.extend", no_memory)
            calls = (reward_model.score(PROBLEM, STEPS[:n]) for n in (1, 2, 3))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [RewardModelError] * 3
        assert 0 <= (await reward_model.score(PROBLEM, STEPS)).probability <= 1
        await reward_model.aclose()

    asyncio.run(main())


def test_unknown_names_are_rejected() -> None:
    with pytest.raises(InvalidRequest, match="embedded"):
        load_reward_model(RewardModelOptions(kind="gpt-2"))
