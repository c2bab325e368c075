"""Checks of a reward model, through the interface that searches use."""

from collections.abc import Iterator

from epf.core.reward_model import RewardModel
from epf.diagnosis.check import QUICK_S, Check
from epf.diagnosis.finding import Outcome, failed, ok, warning
from epf.reward_models.probe import ProbeScores, probe

SCORING_S = 240.0
"""Time limit for two scores in seconds: a judge may think about each."""

HARDLY = 0.05
"""Difference between the scores of a right and a wrong solution below which they are nearly the same."""


class RewardChecks:
    """Checks of one reward model.

    Attributes:
        n_tokens: number of tokens that the reward model has computed for the checks.
    """

    def __init__(self, reward_model: RewardModel) -> None:
        self._reward_model = reward_model
        self._scores: ProbeScores | None = None
        self.n_tokens = 0

    def checks(self) -> Iterator[Check]:
        """All checks, in order."""
        yield Check("ready", self._ready, limit_s=QUICK_S)
        yield Check("scores", self._range, limit_s=SCORING_S)
        yield Check("right and wrong", self._order, ("scores",))

    async def _ready(self) -> Outcome:
        """A call would not fail now."""
        await self._reward_model.ready()
        return ok(f"{self._reward_model.name}")

    async def _range(self) -> Outcome:
        """Scores are probabilities."""
        scores = self._scores = await probe(self._reward_model)
        self.n_tokens += scores.n_tokens
        shown = f"a right solution has {scores.right:.3f}, a wrong one {scores.wrong:.3f}"
        if all(0 <= score <= 1 for score in (scores.right, scores.wrong)):
            return ok(shown)
        return failed(f"not probabilities: {shown}", "Check the family.")

    async def _order(self) -> Outcome:
        """A right solution has the higher score."""
        assert self._scores is not None
        if not self._scores.prefers_right:
            return failed(
                "the wrong solution has no lower score than the right one",
                "Check the family (EPF_REWARD_MODEL__FAMILY) and that the model is a process reward model.",
            )
        gap = self._scores.right - self._scores.wrong
        if gap < HARDLY:
            return warning(f"the scores differ by {gap:.3f} only", "Check the family (EPF_REWARD_MODEL__FAMILY).")
        return ok("the right solution has the higher score")
