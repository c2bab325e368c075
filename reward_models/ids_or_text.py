"""A reward model whose tokenizer is at hand, on a server that may or may not take token ids."""

import logging

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.base import SharedRewardModel
from epf.reward_models.by_text import TextRewardModel

logger = logging.getLogger(__name__)


class IdsOrTextRewardModel(SharedRewardModel):
    """Sends token ids until the server refuses them and takes text instead; from then on it sends text.

    Args:
        by_ids: sends ids.
        by_text: sends text to the same servers. Closing this object closes both.
    """

    def __init__(self, by_ids: FamilyRewardModel, by_text: TextRewardModel) -> None:
        super().__init__(by_ids.name, by_ids.description)
        self._by_ids = by_ids
        self._by_text = by_text
        self._takes_ids: bool | None = None

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        if self._takes_ids is False:
            return await self._by_text.score(problem, steps)
        try:
            score = await self._by_ids.score(problem, steps)
        except RewardModelError as refusal:
            if self._takes_ids or refusal.retryable:
                raise
            return await self._try_text(problem, steps, refusal)
        self._takes_ids = True
        return score

    async def _try_text(self, problem: str, steps: tuple[str, ...], refusal: RewardModelError) -> Score:
        """The server's first word is a refusal, which may be about the ids or about anything else."""
        try:
            score = await self._by_text.score(problem, steps)
        except RewardModelError:
            raise refusal from None
        if self._takes_ids is None:
            logger.warning("the server of the reward model does not take token ids: it gets text")
            self._takes_ids = False
        return score

    async def _check_ready(self) -> None:
        await (self._by_text if self._takes_ids is False else self._by_ids).ready()

    async def _release(self) -> None:
        await self._by_ids.aclose()
        await self._by_text.aclose()
