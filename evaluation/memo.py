"""Models that compute a repeated call once, so that methods compared on the same draws do not repeat them.

A prefix, sampling options and seed determine a step, a trace determines a score. Best of n, a vote over the same samples and
the first round of every filter make the same calls. Each search still counts the tokens of all its own calls.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from epf.core.bounded_cache import ID_BYTES, BoundedCache, text_bytes
from epf.core.generator import Abilities, Generator, GeneratorWrapper, Sampling, Step
from epf.core.reward_model import RewardModel, RewardModelWrapper, Score
from epf.core.single_flight import SingleFlight

MAX_BYTES = 64 * 2**20
"""Maximum memory of the results that each model keeps: those of some problems, a few kilobytes each."""


class WaitingGenerator(GeneratorWrapper):
    """A generator of which no step begins ahead: what a search costs would depend on the machine's speed."""

    @property
    def abilities(self) -> Abilities:
        """What the inner model can do, except to cancel."""
        return replace(super().abilities, cancels=False)


class MemoGenerator(WaitingGenerator):
    """A generator that keeps its steps; see :class:`epf.core.generator.Generator`."""

    def __init__(self, inner: Generator) -> None:
        super().__init__(inner)
        self._steps: SingleFlight[tuple[bytes, Sampling, int], Step] = SingleFlight(_steps())

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Return the step of this call, sampled if it is not kept."""
        key = (_digest(b",".join(b"%x" % token_id for token_id in prefix_ids)), sampling, seed)
        step, _ = await self._steps.get(key, lambda: self._inner.step(prefix_ids, sampling, seed))
        return step

    async def aclose(self) -> None:
        """Close the inner model and drop the kept steps."""
        self._steps = SingleFlight(_steps())
        await self._inner.aclose()


class MemoRewardModel(RewardModelWrapper):
    """A reward model that keeps its scores; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, inner: RewardModel) -> None:
        super().__init__(inner)
        self._scores: SingleFlight[bytes, Score] = SingleFlight(_scores())

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Return the score of this trace, computed if it is not kept."""
        key = _digest("\0".join((problem, *steps)).encode())
        score, _ = await self._scores.get(key, lambda: self._inner.score(problem, steps))
        return score

    async def aclose(self) -> None:
        """Close the inner model and drop the kept scores."""
        self._scores = SingleFlight(_scores())
        await self._inner.aclose()


def _steps() -> BoundedCache[tuple[bytes, Sampling, int], Step]:
    return BoundedCache(MAX_BYTES, lambda _key, step: 2 * ID_BYTES * len(step.token_ids) + text_bytes(step.text))


def _scores() -> BoundedCache[bytes, Score]:
    return BoundedCache(MAX_BYTES, lambda _digest, _score: 0)


def _digest(data: bytes) -> bytes:
    """A short key for a prefix or a trace, which may be long."""
    return hashlib.blake2b(data, digest_size=16).digest()
