"""What reward models have in common: the check of a trace, and one computation for concurrent calls with the same trace."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from epf.core.errors import InvalidRequest, RewardModelError
from epf.core.reward_model import Score
from epf.core.single_flight import SingleFlight


def check_trace(problem: str, steps: Sequence[str]) -> None:
    """Raise ``InvalidRequest`` if there is no step to score, or text that no tokenizer can read."""
    if not steps:
        raise InvalidRequest("steps is empty. Send at least one step to score.", param="steps")
    for param, text in (("problem", problem), *(("steps", step) for step in steps)):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidRequest(f"{param} contains an unpaired surrogate. Send valid Unicode.", param=param) from None


class SharedRewardModel(ABC):
    """Base of reward models in which concurrent calls with the same trace share one computation.

    After resampling, many particles hold the same trace. Only the first of their calls counts tokens.
    """

    def __init__(self, name: str, description: str = "") -> None:
        self._name = name
        self.description = description
        self._scores: SingleFlight[tuple[str, tuple[str, ...]], Score] = SingleFlight()

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""
        return self._name

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest of ``steps`` given ``problem`` and the steps before it."""
        check_trace(problem, steps)
        trace = (problem, tuple(steps))
        score, is_first = await self._scores.get(trace, lambda: self._compute(*trace))
        return score if is_first else Score(score.probability, 0)

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call would fail now."""
        self._scores.check_open()
        await self._check_ready()

    async def aclose(self) -> None:
        """Fail open calls and release the engine. A second call does nothing."""
        await self._scores.aclose(lambda: RewardModelError(f"The reward model {self._name} is closed."))
        await self._release()

    @abstractmethod
    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        """Score a checked trace."""

    @abstractmethod
    async def _check_ready(self) -> None:
        """Raise ``RewardModelError`` if the engine is not ready."""

    @abstractmethod
    async def _release(self) -> None:
        """Release the engine."""
