"""What speaks for and against an answer at the end of a search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from epf.search.confidence.grounding import grounding


@dataclass(frozen=True, slots=True)
class Solution:
    """One solution at the end of a search. The copies of it that resampling made are one solution, however many they are.

    Attributes:
        answer: class of its answer; None if it is unfinished, has no answer or has no vote.
        text: the whole text.
        score: the reward model's newest score, in [0, 1]; None if it was not scored.
        log_prob: mean log probability of its tokens under the generator, in nats; None if the engine reports none.
        n_steps: number of steps.
        lacks_information: whether it concludes that the problem does not give enough information.
    """

    answer: int | None
    text: str
    score: float | None
    log_prob: float | None
    n_steps: int
    lacks_information: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a confidence is computed from.

    Attributes:
        n_solutions, n_answered, n_supporters: number of solutions, of those with an answer, and of those with this answer.
        score, rival: highest score of a supporter, and of a solution with another answer; None without a score.
        support, answered: sum of the scores of all supporters, and of all solutions with an answer.
        log_prob, n_steps: those of the best supporter, which has the highest score, or without scores the highest ``log_prob``.
        n_given, n_unused, n_foreign, n_false: its :class:`~epf.search.confidence.grounding.Grounding`.
    """

    n_solutions: int
    n_answered: int
    n_supporters: int
    score: float | None
    rival: float | None
    support: float
    answered: float
    log_prob: float | None
    n_steps: int
    n_given: int
    n_unused: int
    n_foreign: int
    n_false: int


def evidence_of(problem: str, solutions: Sequence[Solution], chosen: int) -> Evidence:
    """Evidence for the answer of class ``chosen``, which at least one of the distinct ``solutions`` has."""
    supporters = [solution for solution in solutions if solution.answer == chosen]
    rivals = [solution for solution in solutions if solution.answer not in (None, chosen)]
    best = max(supporters, key=lambda solution: (_number(solution.score), _number(solution.log_prob)))
    found = grounding(problem, best.text)
    if best.lacks_information:
        found = replace(found, n_unused=0)  # there is nothing to use the numbers for
    return Evidence(
        n_solutions=len(solutions),
        n_answered=len(supporters) + len(rivals),
        n_supporters=len(supporters),
        score=best.score,
        rival=max((solution.score for solution in rivals if solution.score is not None), default=None),
        support=sum(solution.score or 0.0 for solution in supporters),
        answered=sum(solution.score or 0.0 for solution in (*supporters, *rivals)),
        log_prob=best.log_prob,
        n_steps=best.n_steps,
        n_given=found.n_given,
        n_unused=found.n_unused,
        n_foreign=found.n_foreign,
        n_false=found.n_false,
    )


def _number(value: float | None) -> float:
    return float("-inf") if value is None else value
