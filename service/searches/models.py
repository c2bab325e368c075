"""The models that all searches of a process share, and the checker of equal answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.generators.registry import load_generator
from epf.reward_models.registry import load_reward_model
from epf.search.answers.checker import AnswerChecker
from epf.search.confidence.file import load_map
from epf.search.confidence.fitted import ConfidenceMap
from epf.service.operations.lifecycle import Lifecycle
from epf.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Models:
    """One generator, the reward model that scores its steps, and the checker that groups equal answers.

    ``confidence`` is a map fitted for these models; None is the search's own choice.
    """

    generator: Generator
    reward_model: RewardModel
    checker: AnswerChecker
    confidence: ConfidenceMap | None = None


@asynccontextmanager
async def with_checker(
    generator: Generator, reward_model: RewardModel, confidence: ConfidenceMap | None = None
) -> AsyncIterator[Models]:
    """The given models, which the caller closes, with a checker that is closed at the end."""
    async with aclosing(AnswerChecker()) as checker:
        yield Models(generator, reward_model, checker, confidence)


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncIterator[Models]:
    """The models of the settings, closed at the end.

    Raises:
        InvalidRequest: a model's options or the confidence map are not valid, or the map was fitted for other models.
    """
    async with (
        aclosing(await asyncio.to_thread(load_generator, settings.generator)) as generator,
        aclosing(await asyncio.to_thread(load_reward_model, settings.reward_model)) as reward_model,
        with_checker(generator, reward_model, await load_confidence(settings, generator, reward_model)) as models,
    ):
        yield models


async def load_confidence(settings: Settings, generator: Generator, reward_model: RewardModel) -> ConfidenceMap | None:
    """The confidence map that the settings name, or None.

    Raises:
        InvalidRequest: the file cannot be read, is not a map, or was fitted for other models.
    """
    if settings.confidence is None:
        return None
    found = await asyncio.to_thread(load_map, settings.confidence)
    found.check(generator.name, reward_model.name)
    return found


@asynccontextmanager
async def in_background(
    models: AbstractAsyncContextManager[Models], begin: Callable[[Models], None], lifecycle: Lifecycle
) -> AsyncIterator[None]:
    """Load ``models`` in a task of their own, pass them to ``begin``, and close them at the end.

    A failure to load them is recorded in ``lifecycle``, so that the server can end with it. Leaving the block does not wait for
    models that are still being loaded.
    """

    async def hold() -> None:
        try:
            async with models as loaded:
                begin(loaded)
                await asyncio.Event().wait()
        except Exception as error:
            if lifecycle.models:
                raise
            lifecycle.failure = error

    holding = asyncio.create_task(hold())
    try:
        yield
    finally:
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding
