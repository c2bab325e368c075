"""A problem with a right and a wrong solution, which every process reward model must be able to tell apart.

A reward model that is asked in a format that it was not trained on returns scores, too, but they mean nothing. That it prefers
the right solution is the cheapest evidence that it is set up properly.
"""

from dataclasses import dataclass

from epf.core.reward_model import RewardModel

PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
RIGHT = ("45 - 17 = 28.", "The answer is \\boxed{28}.")
WRONG = ("45 + 17 = 62.", "The answer is \\boxed{62}.")


@dataclass(frozen=True, slots=True)
class ProbeScores:
    """What a reward model makes of the two solutions.

    Attributes:
        right: score of the right solution.
        wrong: score of the wrong one.
        n_tokens: number of tokens that the model computed for both.
    """

    right: float
    wrong: float
    n_tokens: int

    @property
    def prefers_right(self) -> bool:
        """Whether the right solution has the higher score."""
        return self.right > self.wrong


async def probe(reward_model: RewardModel) -> ProbeScores:
    """Score both solutions, each to its end.

    Raises:
        RewardModelError: the reward model failed.
        ContextTooLong: its context is too short even for this problem.
    """
    right = await reward_model.score(PROBLEM, RIGHT)
    wrong = await reward_model.score(PROBLEM, WRONG)
    return ProbeScores(right.probability, wrong.probability, right.n_tokens + wrong.n_tokens)
