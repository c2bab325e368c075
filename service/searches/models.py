"""The models that all searches of a process share, and the checker of equal answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

from epf.core.generator import Generator, abilities_of
from epf.core.reward_model import RewardModel
from epf.core.sessions import use_headers
from epf.search.answers.checker import AnswerChecker
from epf.search.confidence.file import load_map
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.methods import METHODS, Method
from epf.search.runner import check_able, check_scored, default_method, is_able
from epf.service.operations.lifecycle import Lifecycle
from epf.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Models:
    """One generator, the reward model that scores its steps, if there is one, and the checker that groups equal answers.

    ``confidence`` is a map fitted for these models; None is the search's own choice.
    """

    generator: Generator
    reward_model: RewardModel | None
    checker: AnswerChecker
    confidence: ConfidenceMap | None = None

    @property
    def has_reward_model(self) -> bool:
        """Whether steps can be scored."""
        return self.reward_model is not None

    def serve(self, method: Method) -> bool:
        """Whether they can serve a method."""
        return (self.has_reward_model or not method.needs_reward_model) and is_able(method, abilities_of(self.generator))

    def check(self, method: Method) -> None:
        """Raise ``InvalidRequest`` for a method that they cannot serve."""
        abilities = abilities_of(self.generator)
        check_scored(method, self.has_reward_model, abilities)
        check_able(method, self.has_reward_model, abilities)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models."""
        return (self.generator.name, *([] if self.reward_model is None else [self.reward_model.name]))


@asynccontextmanager
async def with_checker(
    generator: Generator, reward_model: RewardModel | None, confidence: ConfidenceMap | None = None
) -> AsyncIterator[Models]:
    """The given models, which the caller closes, with a checker that is closed at the end."""
    async with aclosing(AnswerChecker()) as checker:
        yield Models(generator, reward_model, checker, confidence)


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncIterator[Models]:
    """The models of the settings, closed at the end.

    Raises:
        InvalidRequest: a model's options or the confidence map are not valid, or the map or the profile was made for other
            models.
        GeneratorError, RewardModelError: no server responds.
    """
    use_headers(settings.session_headers)
    async with (
        settings.models.open() as (generator, reward_model),
        with_checker(generator, reward_model, await load_confidence(settings, generator, reward_model)) as models,
    ):
        yield models


@asynccontextmanager
async def open_service_models(settings: Settings) -> AsyncIterator[Models]:
    """Like :func:`open_models`, for a service whose requests need name no method.

    Raises:
        InvalidRequest: in addition, the default method needs a reward model, which is missing, or more than the generator's
            server offers.
    """
    method = METHODS[settings.search.chosen().get("method", default_method(settings.has_reward_model))]
    check_scored(method, settings.has_reward_model)
    async with open_models(settings) as models:
        models.check(method)
        yield models


async def load_confidence(settings: Settings, generator: Generator, reward_model: RewardModel | None) -> ConfidenceMap | None:
    """The confidence map that the settings name, or that of their profile, or None.

    Raises:
        InvalidRequest: the file cannot be read, is not a map, or it or the profile was made for other models.
    """
    names = generator.name, None if reward_model is None else reward_model.name
    profile = settings.learned
    if profile is not None:
        profile.check(*names)
    if settings.confidence is None:
        return None if profile is None else profile.confidence
    found = await asyncio.to_thread(load_map, settings.confidence)
    found.check(*names)
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
