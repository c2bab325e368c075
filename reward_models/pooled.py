"""A reward model made of a family and something that computes values at the end of a prompt."""

from collections.abc import Sequence
from typing import Protocol

from epf.core.errors import ContextTooLong
from epf.core.reward_model import Score
from epf.reward_models.families.family import Family
from epf.reward_models.sharing import Shared
from epf.reward_models.trace import check_trace


class Pool(Protocol):
    """An engine, in this process or behind HTTP."""

    async def context_length(self) -> int:
        """Most tokens of one prompt."""

    async def values(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """The family's values at the last of ``ids``, and how many tokens were computed for them.

        ``problem`` tells what belongs together, for engines that have several caches. Raises ``RewardModelError`` when the
        engine fails.
        """

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now."""

    async def aclose(self) -> None:
        """Free the engine."""


class PooledRewardModel:
    """Scores the newest step of a trace with ``pool``; see :class:`epf.core.reward_model.RewardModel`.

    Args:
        pool: closed with this object.
        family: of the model behind ``pool``.
        name: of that model.
    """

    def __init__(self, pool: Pool, family: Family, name: str) -> None:
        self._pool = pool
        self._family = family
        self._name = name
        self._shared: Shared[tuple[int, ...], Score] = Shared(name)

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._name

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest of ``steps``. A trace that others have asked for and wait for is computed once."""
        check_trace(problem, steps)
        ids = self._family.prompt(problem, steps)
        score, made = await self._shared.get(ids, lambda: self._score(ids, problem))
        return score if made else Score(score.probability, 0)

    async def ready(self) -> None:
        """Raise if a call would fail now."""
        self._shared.check_open()
        await self._pool.ready()

    async def aclose(self) -> None:
        """Fail open calls and free the engine."""
        await self._shared.aclose()
        await self._pool.aclose()

    async def _score(self, ids: tuple[int, ...], problem: str) -> Score:
        limit = await self._pool.context_length()
        if len(ids) > limit:
            raise ContextTooLong(f"the trace has {len(ids)} tokens, {self.name} has a context of {limit} tokens")
        values, n_computed = await self._pool.values(ids, problem)
        return Score(self._family.probability(values), n_computed)
