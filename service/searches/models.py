"""What all searches of a process share: the two models and the checker of equal answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.generators.registry import load_generator
from epf.reward_models.registry import load_reward_model
from epf.search.answers.equality import AnswerChecker
from epf.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Models:
    """One generator, the reward model that judges its steps, and the checker that groups equal answers."""

    generator: Generator
    reward_model: RewardModel
    checker: AnswerChecker


@asynccontextmanager
async def with_checker(generator: Generator, reward_model: RewardModel) -> AsyncIterator[Models]:
    """Given models, which stay the caller's to close, with a checker that is closed at the end."""
    async with aclosing(AnswerChecker()) as checker:
        yield Models(generator, reward_model, checker)


@asynccontextmanager
async def models_of(settings: Settings) -> AsyncIterator[Models]:
    """The models that the settings name, closed at the end."""
    async with (
        aclosing(await asyncio.to_thread(load_generator, settings.generator)) as generator,
        aclosing(await asyncio.to_thread(load_reward_model, settings.reward_model)) as reward_model,
        with_checker(generator, reward_model) as models,
    ):
        yield models


@asynccontextmanager
async def embedded_models() -> AsyncIterator[Models]:
    """The pair that ships with the package, closed at the end."""
    async with (
        aclosing(await asyncio.to_thread(load_generator)) as generator,
        aclosing(await asyncio.to_thread(load_reward_model)) as reward_model,
        with_checker(generator, reward_model) as models,
    ):
        yield models
