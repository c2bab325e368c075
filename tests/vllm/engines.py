"""Engines of vLLM in this process, started once and lent to one test after the other, with counts of what they compute."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from epf.core.errors import GeneratorError, RewardModelError
from epf.engines.vllm import VllmEngine
from epf.generators.vllm import VllmGenerator, load_vllm
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.families.registry import load_family
from epf.reward_models.vllm import VllmBackend
from epf.reward_models.vllm import load_vllm as load_reward_model
from tests.vllm.serve import BLOCK, ENVIRONMENT

T = TypeVar("T")
M = TypeVar("M", bound=VllmGenerator | FamilyRewardModel)

ENGINE: dict[str, Any] = {"dtype": "float32", "enforce_eager": True, "block_size": BLOCK, "max_num_seqs": 64}
GUARD_S = 120
"""Time limit of a test, in seconds."""


class Counted:
    """A stat logger of vLLM with the engine's counters since it started.

    Attributes:
        asked: number of tokens of all prompts.
        cached: number of those that the prefix cache had.
        generated: number of tokens sampled for requests that were not aborted by then.
        finished: number of requests that ended by themselves.
        running: number of requests that the scheduler had under way at its last report.
    """

    def __init__(self) -> None:
        self.asked = self.cached = self.generated = self.finished = self.running = 0

    def record(self, scheduler_stats: Any, iteration_stats: Any, **_: Any) -> None:
        """Called by vLLM after every iteration of the engine."""
        if scheduler_stats is not None:
            self.asked += scheduler_stats.prefix_cache_stats.queries
            self.cached += scheduler_stats.prefix_cache_stats.hits
            self.running = scheduler_stats.num_running_reqs + scheduler_stats.num_waiting_reqs
        if iteration_stats is not None:
            self.generated += iteration_stats.num_generation_tokens
            self.finished += len(iteration_stats.finished_requests)


class _Lent:
    """``AsyncLLM`` for one borrower, who can close it while it keeps running for the next."""

    output_handler = None

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def shutdown(self) -> None:
        return


class Engine(Generic[M]):
    """An engine, the event loop that it runs in, and how to make a model on it whose closing leaves it running."""

    def __init__(self, loop: asyncio.AbstractEventLoop, engine: Any, lend: Callable[[Any], M]) -> None:
        self.loop = loop
        self.engine = engine
        self.counted = Counted()
        engine.logger_manager.stat_loggers.append(self.counted)
        self._lend = lend

    def open(self) -> M:
        return self._lend(_Lent(self.engine))

    def run(self, test: Callable[[M], Awaitable[T]]) -> T:
        """Run ``test`` on a new model within two minutes, and close it."""

        async def main() -> T:
            model = self.open()
            try:
                return await test(model)
            finally:
                await model.aclose()

        return self.loop.run_until_complete(asyncio.wait_for(main(), GUARD_S))


@contextmanager
def generator_engine(loop: asyncio.AbstractEventLoop, directory: Path) -> Iterator[Engine[VllmGenerator]]:
    os.environ.update(ENVIRONMENT)
    owner = load_vllm(str(directory), **ENGINE)

    def lend(engine: Any) -> VllmGenerator:
        lent = VllmEngine(engine, "the generator", GeneratorError)
        return VllmGenerator(lent, owner._tokenizer, owner.name, owner._params)

    try:
        yield Engine(loop, owner._engine._engine, lend)
    finally:
        loop.run_until_complete(owner.aclose())


@contextmanager
def reward_engine(loop: asyncio.AbstractEventLoop, directory: Path, family: str) -> Iterator[Engine[FamilyRewardModel]]:
    os.environ.update(ENVIRONMENT)
    owner = load_reward_model(str(directory), family, **ENGINE)
    backend = owner._backend
    assert isinstance(backend, VllmBackend)

    def lend(engine: Any) -> FamilyRewardModel:
        lent = VllmEngine(engine, "the reward model", RewardModelError)
        loaded = load_family(family, directory)
        return FamilyRewardModel(VllmBackend(lent, loaded, backend._params), loaded, owner.name)

    try:
        yield Engine(loop, backend._engine._engine, lend)
    finally:
        loop.run_until_complete(owner.aclose())


def distinct_prefixes(asked: Sequence[tuple[int, ...]]) -> int:
    """Number of tokens that no earlier prompt had after the same tokens: the minimum that must be computed."""
    return len({ids[: n + 1] for ids in asked for n in range(len(ids))})


def computed_in_blocks(asked: Sequence[tuple[int, ...]], sampled: Sequence[int] | None = None) -> int:
    """Number of tokens to compute for successive prompts if whole blocks of earlier ones are cached and equal ones sent once.

    The last token of a prompt is always computed, for its output. The last ``sampled[i]`` tokens of ``asked[i]`` were not part
    of the prompt but sampled after it; all of them except the very last are cached as well.
    """
    kept: set[tuple[int, ...]] = set()
    total = 0
    for ids, n_sampled in zip(asked, sampled or [0] * len(asked), strict=True):
        prompt = len(ids) - n_sampled
        cached = 0
        for end in range(BLOCK, prompt, BLOCK):
            if ids[:end] not in kept:
                break
            cached = end
        total += prompt - cached
        kept |= {ids[:end] for end in range(BLOCK, len(ids) + 1 - (n_sampled > 0), BLOCK)}
    return total
