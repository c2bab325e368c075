"""The seam between the search and a process reward model (PRM)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Score:
    """What a PRM says of a trace.

    Attributes:
        probability: that all steps so far are right, in [0, 1].
        n_tokens: tokens that the model computed for it; cached ones do not count.
    """

    probability: float
    n_tokens: int


class RewardModel(Protocol):
    """Judges a partial solution by its newest step. Calls made at the same time share the engine's batch."""

    @property
    def name(self) -> str:
        """Model name as a user would write it."""

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest of ``steps`` (texts without separators, at least one) given ``problem`` and the steps before it.

        The search checks the answer: NaN, a missing or an out-of-range probability fails that search with ``RewardModelError``.
        Raises ``ContextTooLong`` when the trace does not fit, ``RewardModelError`` when the engine fails.
        """

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now. Costs no tokens and ends within a few seconds."""

    async def aclose(self) -> None:
        """Free the engine."""
