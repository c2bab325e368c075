"""Models that answer the same call once, so that methods compared on the same draws do not pay for them again.

A step is decided by its prefix, sampling and seed, a score by its trace; best of n, a vote over the same samples and the first
round of every filter make the very same calls. Each search still counts the tokens of all its own calls.
"""

import asyncio
import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from epf.core.generator import Generator, Message, Sampling, Step
from epf.core.reward_model import RewardModel, Score

REMEMBERED = 16_384
"""Answers that each model keeps, the least recently used goes first: some problems' worth, a few kilobytes each."""

_V = TypeVar("_V")


@dataclass(slots=True)
class _Making(Generic[_V]):
    task: asyncio.Task[_V]
    waiting: int = 0


class Memo(Generic[_V]):
    """Values by key, each made once, also when several ask at the same time; at most ``room`` are kept.

    A failure goes to all who wait for it and is forgotten. When the last of them is cancelled, so is the making.
    """

    def __init__(self, room: int = REMEMBERED) -> None:
        self._room = room
        self._kept: OrderedDict[Hashable, _V] = OrderedDict()
        self._making: dict[Hashable, _Making[_V]] = {}

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, _V]]) -> _V:
        """The value of ``key``, made by ``make`` if nobody made it yet."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = _Making(asyncio.create_task(make()))
        making.waiting += 1
        try:
            value = await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if making.waiting == 0:
                making.task.cancel()
            if (making.task.done() or making.waiting == 0) and self._making.get(key) is making:
                del self._making[key]
        self._keep(key, value)
        return value

    def _keep(self, key: Hashable, value: _V) -> None:
        self._kept[key] = value
        if len(self._kept) > self._room:
            self._kept.popitem(last=False)


class MemoGenerator:
    """A generator that remembers its steps; see :class:`epf.core.generator.Generator`."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._steps: Memo[Step] = Memo()

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._generator.name

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and continuation together."""
        return self._generator.context_length

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""
        return self._generator.prompt_ids(messages)

    def token_bytes(self, token_id: int) -> bytes:
        """What this token adds to the text."""
        return self._generator.token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """The step of this very call, sampled if it is not remembered."""
        key = (_digest(array("q", prefix_ids).tobytes()), sampling, seed)
        return await self._steps.get(key, lambda: self._generator.step(prefix_ids, sampling, seed))

    async def ready(self) -> None:
        """Raise ``GeneratorError`` if a call would fail now."""
        await self._generator.ready()

    async def aclose(self) -> None:
        """Free the engine and what is remembered."""
        self._steps = Memo()
        await self._generator.aclose()


class MemoRewardModel:
    """A reward model that remembers its scores; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, reward_model: RewardModel) -> None:
        self._reward_model = reward_model
        self._scores: Memo[Score] = Memo()

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._reward_model.name

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """The score of this very trace, computed if it is not remembered."""
        key = _digest("\0".join((problem, *steps)).encode())
        return await self._scores.get(key, lambda: self._reward_model.score(problem, steps))

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now."""
        await self._reward_model.ready()

    async def aclose(self) -> None:
        """Free the engine and what is remembered."""
        self._scores = Memo()
        await self._reward_model.aclose()


def _digest(data: bytes) -> bytes:
    """Stands for a prefix or a trace, which may be long."""
    return hashlib.blake2b(data, digest_size=16).digest()
