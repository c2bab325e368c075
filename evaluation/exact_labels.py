"""A reward model that knows: it scores a solution 1 while all of its steps are right, and 0 from the first wrong one on."""

from collections.abc import Sequence

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.problem_sets.problem import Problem


class ExactLabels:
    """See :class:`epf.core.reward_model.RewardModel`; for one problem, whose right steps are known."""

    name = "exact labels"

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Return 1 for right steps, else 0.

        Raises:
            RewardModelError: the right steps of this problem are not known.
        """
        if problem != self._problem.text or self._problem.is_right_so_far is None:
            raise RewardModelError("The right steps of this problem are not known.", retryable=False)
        return Score(float(self._problem.is_right_so_far(tuple(steps))), 0)

    async def ready(self) -> None:
        """Always ready."""

    async def aclose(self) -> None:
        """Nothing to release."""
