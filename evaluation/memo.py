"""Models that compute a repeated call once, so that methods compared on the same draws do not repeat them.

A prefix, sampling options and seed determine a step, a trace determines a score. Best of n, a vote over the same samples and
the first round of every filter make the same calls. Each search still counts the tokens of all its own calls.
"""

import hashlib
from array import array
from collections.abc import Sequence

from epf.core.generator import Generator, Message, Sampling, Step
from epf.core.reward_model import RewardModel, Score
from epf.core.single_flight import SingleFlight

MAX_KEPT = 16_384
"""Maximum number of results that each model keeps: those of some problems, a few kilobytes each."""


class MemoGenerator:
    """A generator that keeps its steps; see :class:`epf.core.generator.Generator`."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._steps: SingleFlight[tuple[bytes, Sampling, int], Step] = SingleFlight(MAX_KEPT)

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._generator.name

    @property
    def context_length(self) -> int:
        """Maximum number of tokens in prompt and continuation together."""
        return self._generator.context_length

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""
        return self._generator.prompt_ids(messages)

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that this token adds to the text."""
        return self._generator.token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Return the step of this call, sampled if it is not kept."""
        key = (_digest(array("q", prefix_ids).tobytes()), sampling, seed)
        step, _ = await self._steps.get(key, lambda: self._generator.step(prefix_ids, sampling, seed))
        return step

    async def ready(self) -> None:
        """Raise ``GeneratorError`` if a call would fail now."""
        await self._generator.ready()

    async def aclose(self) -> None:
        """Free the engine and the kept steps."""
        self._steps = SingleFlight(MAX_KEPT)
        await self._generator.aclose()


class MemoRewardModel:
    """A reward model that keeps its scores; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, reward_model: RewardModel) -> None:
        self._reward_model = reward_model
        self._scores: SingleFlight[bytes, Score] = SingleFlight(MAX_KEPT)

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._reward_model.name

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Return the score of this trace, computed if it is not kept."""
        key = _digest("\0".join((problem, *steps)).encode())
        score, _ = await self._scores.get(key, lambda: self._reward_model.score(problem, steps))
        return score

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now."""
        await self._reward_model.ready()

    async def aclose(self) -> None:
        """Free the engine and the kept scores."""
        self._scores = SingleFlight(MAX_KEPT)
        await self._reward_model.aclose()


def _digest(data: bytes) -> bytes:
    """A short key for a prefix or a trace, which may be long."""
    return hashlib.blake2b(data, digest_size=16).digest()
