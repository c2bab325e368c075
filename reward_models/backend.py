"""A reward model made of a family and a backend that computes values at the end of a prompt."""

from functools import partial
from typing import Protocol

from epf.core.errors import ContextTooLong
from epf.core.off_loop import off_loop
from epf.core.reward_model import Score
from epf.reward_models.base import SharedRewardModel
from epf.reward_models.families.family import Family


class ScoringBackend(Protocol):
    """An engine in this process, or behind HTTP."""

    async def context_length(self) -> int:
        """Maximum number of tokens of one prompt."""

    async def values(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """Return the family's values at the last of ``ids`` and the number of tokens that were computed for them.

        Prompts of the same ``problem`` belong together; engines with several caches send them to the same one. Raises
        ``RewardModelError`` if the engine fails.
        """

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now."""

    async def aclose(self) -> None:
        """Release the engine."""


class FamilyRewardModel(SharedRewardModel):
    """Scores the newest step of a trace with ``backend``; see :class:`epf.core.reward_model.RewardModel`.

    Args:
        backend: engine of the model, closed with this object.
        family: family of the model.
        name: name of the model.
        description: what was found out about it, for people.
    """

    def __init__(self, backend: ScoringBackend, family: Family, name: str, description: str = "") -> None:
        super().__init__(name, description)
        self._backend = backend
        self._family = family

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        ids = await off_loop(len(problem) + sum(map(len, steps)), partial(self._family.prompt, problem, steps))
        limit = await self._backend.context_length()
        if len(ids) > limit:
            raise ContextTooLong(f"The trace has {len(ids)} tokens, but {self.name} has a context of {limit} tokens.")
        values, n_computed = await self._backend.values(ids, problem)
        return Score(self._family.probability(values), n_computed)

    async def _check_ready(self) -> None:
        await self._backend.ready()

    async def _release(self) -> None:
        await self._backend.aclose()
