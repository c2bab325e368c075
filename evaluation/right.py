"""Whether a solution concludes what its problem's gold answer says."""

from epf.search.answers.checker import AnswerChecker
from epf.search.answers.conclusion import NOT_ENOUGH


async def is_right(checker: AnswerChecker, conclusion: str | None, gold: str) -> bool:
    """Return whether a conclusion equals the gold answer; none is never right.

    Where the gold answer is that the problem cannot be answered, only the same conclusion is right, and the other way round.
    """
    if NOT_ENOUGH in (conclusion, gold):
        return conclusion == gold
    return conclusion is not None and await checker.equal(gold, conclusion)
