"""The interface between the search and a process reward model (PRM)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from epf.core.description import description_of
from epf.core.errors import RewardModelError


@dataclass(frozen=True, slots=True)
class Score:
    """The score that a PRM gives a trace.

    Attributes:
        probability: probability that all steps so far are correct, in [0, 1].
        n_tokens: number of tokens that the model computed for it, without those that it read from its cache.
        n_tokens_of: names and numbers of tokens of the models that the score comes from, if these are several.
    """

    probability: float
    n_tokens: int
    n_tokens_of: tuple[tuple[str, int], ...] = ()

    def check(self, model: str) -> None:
        """Raise ``RewardModelError`` with the name of the model if the score is no probability."""
        if not 0 <= self.probability <= 1:
            raise RewardModelError(f"The reward model {model} returned no probability in [0, 1].")


class RewardModel(Protocol):
    """Scores a partial solution at its newest step. Concurrent calls share the engine's batch."""

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest of ``steps`` (texts without separators, at least one) given ``problem`` and the steps before it.

        The search checks the result: a probability that is NaN, missing or out of range fails the search with
        ``RewardModelError``. Raises ``ContextTooLong`` if the trace does not fit, ``RewardModelError`` if the engine fails.
        """

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now. Costs no tokens and returns within a few seconds."""

    async def aclose(self) -> None:
        """Release the engine."""


class RewardModelWrapper:
    """Base of reward models that change or observe the calls of another one; every method delegates to it.

    Closing the wrapper closes ``inner``.
    """

    def __init__(self, inner: RewardModel) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """Name of the inner model."""
        return self._inner.name

    @property
    def description(self) -> str:
        """What was found out about the inner model."""
        return description_of(self._inner)

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score of the inner model."""
        return await self._inner.score(problem, steps)

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call of the inner model would fail now."""
        await self._inner.ready()

    async def aclose(self) -> None:
        """Close the inner model."""
        await self._inner.aclose()
