"""The two solutions that show whether a reward model is set up properly."""

import asyncio

from epf.engines.onnx.pairs import STORIES
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.probe import ProbeScores, probe


def test_the_embedded_reward_model_prefers_the_right_solution() -> None:
    async def main() -> ProbeScores:
        reward_model = EmbeddedRewardModel(STORIES.reward_model)
        try:
            return await probe(reward_model)
        finally:
            await reward_model.aclose()

    scores = asyncio.run(main())
    assert scores.right > 0.9 > 0.1 > scores.wrong
    assert scores.prefers_right
    assert scores.n_tokens > 0


def test_equal_scores_are_no_preference() -> None:
    assert not ProbeScores(0.5, 0.5, 0).prefers_right
