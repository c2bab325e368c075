"""Several reward models as one: a product of experts.

The probability that all steps so far are correct is the product of what the models say, renormalised over the two outcomes,
``prod p_k / (prod p_k + prod (1 - p_k))`` (Hinton, "Training products of experts by minimizing contrastive divergence", 2002,
equation 1, for experts over {right, wrong}): their odds are multiplied. A model without an opinion (1/2) changes nothing, and
two that agree are surer together than each alone. That is exact for models that are calibrated and make their mistakes
independently. A calibration per model sets the exponent of each expert, so that an over-confident one does not overrule the
others.
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import AsyncExitStack

from epf.core.description import description_of
from epf.core.reward_model import RewardModel, Score
from epf.reward_models.calibration import CLIP
from epf.reward_models.families.family import sigmoid

JOINT = " * "
"""Joins the names of the models of a product."""


class ProductRewardModel:
    """Multiplies the odds of several reward models; see :class:`epf.core.reward_model.RewardModel`.

    A step is scored when every model has scored it, and a call that fails fails the whole score: scores of fewer models could
    not be compared with the others of the search. Closing it closes all models.

    Args:
        models: at least two different ones. Of those with the same name, the second is called "NAME (2)".

    Raises:
        ValueError: there are fewer than two models, or one is there twice.
    """

    def __init__(self, models: Sequence[RewardModel]) -> None:
        self.models = tuple(models)
        if len(self.models) < 2 or len(set(map(id, self.models))) < len(self.models):
            raise ValueError(f"A product needs at least two different reward models, got {len(self.models)}.")
        self._names: list[str] = []
        for i, model in enumerate(self.models):
            n = sum(other.name == model.name for other in self.models[: i + 1])
            self._names.append(model.name if n == 1 else f"{model.name} ({n})")

    @property
    def name(self) -> str:
        """Names of all models."""
        return JOINT.join(self._names)

    @property
    def description(self) -> str:
        """What was found out about each model."""
        return "; ".join(f"{name}: {description_of(model)}" for name, model in zip(self._names, self.models, strict=True))

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Return the product of the models' scores, with the tokens of each."""
        calls = [asyncio.ensure_future(model.score(problem, steps)) for model in self.models]
        try:
            scores = await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        named = list(zip(self._names, scores, strict=True))
        for name, score in named:
            score.check(name)
        return Score(
            product([score.probability for score in scores]),
            sum(score.n_tokens for score in scores),
            tuple((name, score.n_tokens) for name, score in named),
        )

    async def ready(self) -> None:
        """Raise ``RewardModelError`` if a call of any model would fail now."""
        for model in self.models:
            await model.ready()

    async def aclose(self) -> None:
        """Close all models."""
        async with AsyncExitStack() as stack:
            for model in self.models:
                stack.push_async_callback(model.aclose)


def parts(model: RewardModel) -> tuple[RewardModel, ...]:
    """Return the models of a product, or the model itself."""
    return model.models if isinstance(model, ProductRewardModel) else (model,)


def product(probabilities: Sequence[float]) -> float:
    """Return the probability whose odds are the product of the odds of ``probabilities``, each kept off 0 and 1."""
    clipped = (min(max(p, CLIP), 1 - CLIP) for p in probabilities)
    return min(max(sigmoid(sum(math.log(p / (1 - p)) for p in clipped)), CLIP), 1 - CLIP)
