"""The two models of a search: a generator, and the reward model that scores its steps or none.

An embedded reward model knows the problems of its pair's generator and nothing else, so it is the default of that generator
only. Any other generator has a reward model if, and only if, one is named.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from epf.core.errors import InvalidRequest
from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.engines.onnx.pairs import DEFAULT_PAIR, ShippedPair, pair_in_options, shipped_pair
from epf.engines.reference import EMBEDDED, NONE, REFERENCE
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.registry import GeneratorOptions, load_generator
from epf.reward_models.product import ProductRewardModel, parts
from epf.reward_models.registry import RewardModelOptions, check_different, load_reward_model

logger = logging.getLogger(__name__)

GivenRewardModel: TypeAlias = RewardModel | RewardModelOptions | Path | str
"""A reward model as a caller in Python gives it: an object, options, a directory or a reference."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both models, each as an object that its owner closes, or as the options to load it with.

    ``reward_model`` is never without a kind: where nobody chose one, :func:`paired` did.
    """

    generator: Generator | GeneratorOptions
    reward_model: RewardModel | RewardModelOptions

    @property
    def has_reward_model(self) -> bool:
        """Whether steps can be scored."""
        return self.reward_model_kind != NONE

    @property
    def reward_model_kind(self) -> str | None:
        """Kind of the reward model that is to be loaded; None for an object."""
        return self.reward_model.kind if isinstance(self.reward_model, RewardModelOptions) else None

    @asynccontextmanager
    async def open(self, *, scored: bool = True) -> AsyncIterator[tuple[Generator, RewardModel | None]]:
        """Load what is not loaded, and close that at the end. Without ``scored`` no reward model is loaded.

        Raises:
            InvalidRequest: an option is missing or wrong.
            GeneratorError, RewardModelError: no server responds.
        """
        generator, reward_model = self.generator, self.reward_model if scored and self.has_reward_model else None
        async with AsyncExitStack() as stack:
            if isinstance(generator, GeneratorOptions):
                generator = await stack.enter_async_context(aclosing(await asyncio.to_thread(load_generator, generator)))
            if isinstance(reward_model, RewardModelOptions):
                loaded = await asyncio.to_thread(load_reward_model, reward_model)
                reward_model = await stack.enter_async_context(aclosing(loaded))
                _warn_of_strangers(generator, reward_model)
            yield generator, reward_model


def paired(generator: Generator | GeneratorOptions, reward_model: RewardModel | RewardModelOptions) -> Pair:
    """Both models; a reward model without a kind is the default for this generator, one without a name is of its pair.

    Raises:
        InvalidRequest: a calibration or another reward model is set, but there is no first one.
    """
    if isinstance(reward_model, RewardModelOptions):
        if reward_model.kind is None:
            kind = EMBEDDED if _is_embedded(generator) else NONE
            reward_model = RewardModelOptions(kind=kind, calibration=reward_model.calibration, also=reward_model.also)
        pair = shipped_pair_of(generator) or DEFAULT_PAIR
        named = [
            each.model_copy(update={"name": pair.name}) if each.kind == EMBEDDED and each.name is None else each
            for each in reward_model.all
        ]
        check_different(named)
        reward_model = named[0].model_copy(update={"also": tuple(named[1:])})
    return Pair(generator, reward_model)


def named_pair(
    generator: Generator | GeneratorOptions | Path | str | None,
    reward_model: "GivenRewardModel | Sequence[GivenRewardModel] | None",
    *,
    tokenizer: str | Path | None = None,
    family: str | None = None,
) -> Pair:
    """The models that a caller in Python names or passes; ``tokenizer`` and ``family`` belong to names. A path is a directory.

    Several reward models are a product of experts.

    Raises:
        InvalidRequest: a name is not a reference, ``tokenizer`` or ``family`` has no effect, or a list of reward models is
            empty, names one twice or mixes objects with names.
    """
    if generator is None or isinstance(generator, Path | str):
        generator = GeneratorOptions.model_validate(_named(generator, tokenizer=tokenizer))
    elif tokenizer is not None:
        raise _in_vain("tokenizer", "generator")
    if isinstance(reward_model, Sequence) and not isinstance(reward_model, str):
        if family is not None:
            message = (
                "family could belong to each reward model of a list: set it with RewardModelOptions(family=...) in the list."
            )
            raise InvalidRequest(message, param="family")
        reward_model = _product_of(reward_model)
    if reward_model is None or isinstance(reward_model, Path | str):
        reward_model = RewardModelOptions.model_validate(_named(reward_model, family=family))
    elif family is not None:
        raise _in_vain("family", "reward_model")
    return paired(generator, reward_model)


def _product_of(models: "Sequence[GivenRewardModel]") -> RewardModel | RewardModelOptions:
    named = [RewardModelOptions.model_validate(_named(each)) if isinstance(each, Path | str) else each for each in models]
    for each in named:
        if not isinstance(each, RewardModelOptions) and not hasattr(each, "score"):
            message = f"reward_model: a list holds reward models, by names, options or objects, and no {type(each).__name__}."
            raise InvalidRequest(message, param="reward_model")
    options = [each for each in named if isinstance(each, RewardModelOptions)]
    objects = [each for each in named if not isinstance(each, RewardModelOptions)]
    if not named or (options and objects):
        message = "reward_model: a list holds one reward model or more, either all as objects or all as names and options."
        raise InvalidRequest(message, param="reward_model")
    if len(named) == 1:
        return named[0]
    if options:
        return RewardModelOptions.model_validate({**options[0].model_dump(), "also": (*options[0].also, *options[1:])})
    try:
        return ProductRewardModel(objects)
    except ValueError as error:
        raise InvalidRequest(f"reward_model: {error}", param="reward_model") from None


def shipped_pair_of(generator: Generator | GeneratorOptions) -> ShippedPair | None:
    """The pair of this package to which a generator belongs, whether or not it runs in this process."""
    if not isinstance(generator, GeneratorOptions):
        return shipped_pair(generator.name, "generator")
    return pair_in_options(generator.name, "generator") if generator.kind == EMBEDDED else None


def _is_embedded(generator: Generator | GeneratorOptions) -> bool:
    return generator.kind == EMBEDDED if isinstance(generator, GeneratorOptions) else isinstance(generator, EmbeddedGenerator)


def _warn_of_strangers(generator: Generator, reward_model: RewardModel) -> None:
    for each in parts(reward_model):
        pair = shipped_pair(each.name, "reward_model")
        if pair is not None and not pair.shares_generator(shipped_pair(generator.name, "generator")):
            logger.warning(
                "The reward model %s does not know problems as the generator %s solves them, so its scores mean little: name "
                "another reward model (--reward-model, EPF_REWARD_MODEL), or none.",
                each.name,
                generator.name,
            )


def _named(reference: Path | str | None, **options: Any) -> dict[str, Any]:
    if isinstance(reference, Path):
        reference = str(reference.absolute())
    return {name: value for name, value in {REFERENCE: reference, **options}.items() if value is not None}


def _in_vain(option: str, model: str) -> InvalidRequest:
    return InvalidRequest(f"{option} has no effect, since {model} is no name: leave it out.", param=option)
