"""Sharing of calls, and where vLLM's output has the values of the newest step (for the engine itself, see tests/vllm)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from epf.core.errors import ContextTooLong, RewardModelError
from epf.core.reward_model import RewardModel, Score
from epf.engines.vllm import VllmEngine
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.families.family import Family, sigmoid
from epf.reward_models.vllm import VllmBackend
from tests.contract.reward_model import RewardModelContract


def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
    return tuple(map(ord, problem + "".join(f"{step}\n" for step in steps)))


ONE = Family("one", prompt)
TWO = Family("two", prompt, "tokens", 2, 1)


def logit(ids: Sequence[int]) -> float:
    """A number that depends on every token."""
    return float(np.sin(np.arange(1, len(ids) + 1) @ np.array(ids)))


class Engine:
    """Stands in for ``AsyncLLM``: caches blocks of 4 tokens, and waits in ``encode`` while ``hold`` is set."""

    def __init__(self, family: Family, *, hold: bool = False, data: Any = None, error: Exception | None = None) -> None:
        self.model_config = SimpleNamespace(max_model_len=4096)
        self.family = family
        self.hold = hold
        self.data = data
        self.error = error
        self.asked: list[tuple[int, ...]] = []
        self.params: list[dict[str, Any]] = []
        self.entered = asyncio.Event()
        self.aborted = asyncio.Event()
        self.n_shutdowns = 0
        self._cached: set[tuple[int, ...]] = set()

    async def encode(self, prompt: Any, pooling_params: Any, request_id: str) -> AsyncGenerator[Any, None]:
        ids = tuple(prompt["prompt_token_ids"])
        self.asked.append(ids)
        self.params.append(pooling_params)
        if self.error is not None:
            raise self.error
        self.entered.set()
        if self.hold:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        n_cached = 0
        if not pooling_params["skip_reading_prefix_cache"]:
            n_cached = max((n for n in range(0, len(ids), 4) if ids[:n] in self._cached), default=0)
        self._cached |= {ids[:n] for n in range(4, len(ids) + 1, 4)}
        rows = np.array([[-logit(ids[: i + 1]) / 2, logit(ids[: i + 1]) / 2] for i in range(n_cached, len(ids))])
        data = rows if self.family.read == "tokens" else np.array([logit(ids)])
        yield SimpleNamespace(
            outputs=SimpleNamespace(data=data if self.data is None else np.array(self.data(len(self.asked)))),
            num_cached_tokens=n_cached,
        )

    async def check_health(self) -> None:
        if self.error is not None:
            raise self.error

    async def abort(self, request_id: str) -> None:
        self.aborted.set()

    def shutdown(self) -> None:
        self.n_shutdowns += 1


def model(engine: Engine) -> FamilyRewardModel:
    backend = VllmBackend(VllmEngine(engine, "the reward model", RewardModelError), engine.family, dict)
    return FamilyRewardModel(backend, engine.family, "tiny")


class TestContractOneValue(RewardModelContract):
    def open(self) -> RewardModel:
        return model(Engine(ONE))


class TestContractRows(RewardModelContract):
    def open(self) -> RewardModel:
        return model(Engine(TWO))


def run(engine: Engine, test: Callable[[FamilyRewardModel], Awaitable[None]]) -> None:
    async def main() -> None:
        reward_model = model(engine)
        try:
            await test(reward_model)
        finally:
            await reward_model.aclose()

    asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("family", [ONE, TWO])
def test_the_score_is_that_of_the_newest_step_whatever_was_cached(family: Family) -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        for steps in (["ab"], ["ab", "cd"], ["ab", "cd"], ["ab", "ce"]):
            ids = prompt("Why?", steps)
            assert (await reward_model.score("Why?", steps)).probability == pytest.approx(sigmoid(logit(ids)), abs=1e-12)

    engine = Engine(family)
    run(engine, test)
    assert all(params["skip_reading_prefix_cache"] is False for params in engine.params)
    assert all(params["use_activation"] is False for params in engine.params)
    assert {params["task"] for params in engine.params} == {"classify" if family is ONE else "token_classify"}


def test_tokens_in_the_cache_do_not_count() -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        assert (await reward_model.score("Why?", ["abc"])).n_tokens == 8
        assert (await reward_model.score("Why?", ["abc", "d"])).n_tokens == 2
        assert (await reward_model.score("Why?", ["abc"])).n_tokens == 4  # the last block is computed for its output

    run(Engine(TWO), test)


def test_a_row_hidden_by_the_cache_is_read_without_it() -> None:
    def data(n: int) -> list[list[float]]:
        return [] if n == 1 else [[9.0, 9.0]] * 6 + [[0.25, 1.25]]

    async def test(reward_model: FamilyRewardModel) -> None:
        assert await reward_model.score("Why?", ["ab"]) == Score(sigmoid(1.0), 7)

    engine = Engine(TWO, data=data)
    run(engine, test)
    assert [params["skip_reading_prefix_cache"] for params in engine.params] == [False, True]


@pytest.mark.parametrize(
    "data",
    [
        [],
        [[np.nan, 0.5]] * 7,
        [[0.5, np.inf]] * 7,
        [[0.5, 0.5, 0.5]] * 7,
        [[0.1, 0.2]] * 3,
        [0.5],
        [[0.5, 0.5]] * 8,
    ],
)
def test_invalid_values_are_an_error(data: list[Any]) -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        with pytest.raises(RewardModelError):
            await reward_model.score("Why?", ["ab"])

    run(Engine(TWO, data=lambda _: data), test)


def test_an_engine_failure_fails_the_call() -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        for call in (reward_model.score("Why?", ["ab"]), reward_model.ready()):
            with pytest.raises(RewardModelError, match="RuntimeError") as caught:
                await call
            assert "a problem" not in str(caught.value)

    run(Engine(ONE, error=RuntimeError("with a problem in it")), test)


def test_the_context_limit_of_the_model_holds() -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        engine.model_config.max_model_len = 7
        assert 0 <= (await reward_model.score("Why?", ["ab"])).probability <= 1
        with pytest.raises(ContextTooLong, match="8 tokens"):
            await reward_model.score("Why?", ["abc"])

    engine = Engine(ONE)
    run(engine, test)


def test_concurrent_equal_calls_are_computed_once() -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        scores = await asyncio.gather(*(reward_model.score("Why?", ["ab"]) for _ in range(4)))
        assert len(engine.asked) == 1
        assert [score.n_tokens for score in scores] == [7, 0, 0, 0]
        await reward_model.score("Why?", ["ab"])
        assert len(engine.asked) == 2

    engine = Engine(ONE)
    run(engine, test)


def test_a_cancelled_call_leaves_an_equal_one_running() -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        first, second = (asyncio.create_task(reward_model.score("Why?", ["ab"])) for _ in range(2))
        await engine.entered.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not engine.aborted.is_set()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await engine.aborted.wait()
        engine.hold = False
        assert 0 <= (await reward_model.score("Why?", ["ab"])).probability <= 1

    engine = Engine(ONE, hold=True)
    run(engine, test)


def test_closing_fails_open_calls_and_ends_the_engine_once() -> None:
    async def test(reward_model: FamilyRewardModel) -> None:
        calls = [asyncio.create_task(reward_model.score("Why?", [step])) for step in ("a", "a", "b")]
        await engine.entered.wait()
        await reward_model.aclose()
        await reward_model.aclose()
        for call in calls:
            with pytest.raises(RewardModelError, match="closed"):
                await call
        assert engine.aborted.is_set()

    engine = Engine(ONE, hold=True)
    run(engine, test)
    assert engine.n_shutdowns == 1
