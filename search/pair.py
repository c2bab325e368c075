"""The two models of a search: a generator, and the reward model that scores its steps or none.

The embedded reward model knows the embedded generator's problems and nothing else, so it is the default of that generator only.
Any other generator has a reward model if, and only if, one is named.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.engines.onnx.config import SHIPPED, load_config
from epf.engines.reference import EMBEDDED, NONE, REFERENCE
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.registry import GeneratorOptions, load_generator
from epf.reward_models.registry import RewardModelOptions, load_reward_model

logger = logging.getLogger(__name__)


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
    """Both models; if no kind of reward model is chosen, it is the default for this generator.

    Raises:
        InvalidRequest: a calibration is set, but there is no reward model.
    """
    if isinstance(reward_model, RewardModelOptions) and reward_model.kind is None:
        embedded = (
            generator.kind == EMBEDDED if isinstance(generator, GeneratorOptions) else isinstance(generator, EmbeddedGenerator)
        )
        reward_model = RewardModelOptions(kind=EMBEDDED if embedded else NONE, calibration=reward_model.calibration)
    return Pair(generator, reward_model)


def named_pair(
    generator: Generator | GeneratorOptions | Path | str | None,
    reward_model: RewardModel | RewardModelOptions | Path | str | None,
    *,
    tokenizer: str | Path | None = None,
    family: str | None = None,
) -> Pair:
    """The models that a caller in Python names or passes; ``tokenizer`` and ``family`` belong to names. A path is a directory.

    Raises:
        InvalidRequest: a name is not a reference, or ``tokenizer`` or ``family`` has no effect.
    """
    if generator is None or isinstance(generator, Path | str):
        generator = GeneratorOptions.model_validate(_named(generator, tokenizer=tokenizer))
    elif tokenizer is not None:
        raise _in_vain("tokenizer", "generator")
    if reward_model is None or isinstance(reward_model, Path | str):
        reward_model = RewardModelOptions.model_validate(_named(reward_model, family=family))
    elif family is not None:
        raise _in_vain("family", "reward_model")
    return paired(generator, reward_model)


def _warn_of_strangers(generator: Generator, reward_model: RewardModel) -> None:
    if _is_shipped("reward_model", reward_model) and not _is_shipped("generator", generator):
        logger.warning(
            "The embedded reward model does not know problems as the generator %s solves them, so its scores mean little: name "
            "another reward model (--reward-model, EPF_REWARD_MODEL), or none.",
            generator.name,
        )


def _is_shipped(role: str, model: Generator | RewardModel) -> bool:
    """Whether a model has the name of the embedded one, whether or not it runs in this process."""
    return model.name == load_config(SHIPPED / role).name


def _named(reference: Path | str | None, **options: Any) -> dict[str, Any]:
    if isinstance(reference, Path):
        reference = str(reference.absolute())
    return {name: value for name, value in {REFERENCE: reference, **options}.items() if value is not None}


def _in_vain(option: str, model: str) -> InvalidRequest:
    return InvalidRequest(f"{option} has no effect, since {model} is no name: leave it out.", param=option)
