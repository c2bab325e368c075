"""A score of the reward model, checked: whatever its engine does, it is a probability or an error of the model."""

import asyncio
from collections.abc import Sequence

import numpy as np

from epf.core.errors import RewardModelError, SearchServiceError
from epf.core.reward_model import RewardModel, Score


async def checked_score(reward_model: RewardModel, problem: str, texts: Sequence[str]) -> Score:
    """Score of the newest of ``texts``.

    Raises ``ContextTooLong`` when the trace does not fit, ``RewardModelError`` when the model fails or its score is missing,
    NaN or out of range.
    """
    try:
        score = await reward_model.score(problem, texts)
    except SearchServiceError:
        raise
    except (Exception, asyncio.CancelledError) as error:
        reraise_own_cancellation(error)
        raise RewardModelError(f"the reward model failed: {type(error).__name__}: {error}") from error
    if not isinstance(score, Score) or not _is_probability(score.probability):
        raise RewardModelError(f"the reward model returned {score!r:.200}, which is not a probability in [0, 1]")
    return score


def reraise_own_cancellation(error: BaseException) -> None:
    """Re-raise a cancellation of the current task; a call that an engine cancels by itself has failed."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


def _is_probability(value: object) -> bool:
    if not isinstance(value, float | int | np.floating) or isinstance(value, bool):
        return False
    return 0.0 <= float(value) <= 1.0
