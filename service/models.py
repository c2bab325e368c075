"""What all searches of a process share: the two models and the checker of equal answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from generators.protocol import Generator
from generators.registry import load_generator
from reward_models.protocol import RewardModel
from reward_models.registry import RewardModelOptions, load_reward_model
from search.answers.equality import AnswerChecker
from service.settings import Settings


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


def reward_model_of(settings: Settings) -> RewardModel:
    """The reward model that the settings name. Raises InvalidRequest for settings that do not fit together."""
    key = settings.reward_model_api_key
    options = RewardModelOptions(
        model=settings.reward_model_name,
        family=settings.reward_model_family,
        urls=tuple(url.strip() for url in settings.reward_model_url.split(",") if url.strip()),
        api_key=key.get_secret_value() if key else None,
        tokenizer=settings.reward_model_tokenizer,
        timeout_s=settings.reward_model_timeout_s,
        calibration=settings.calibration,
        engine=settings.reward_model_engine,
    )
    return load_reward_model(settings.reward_model, options)


@asynccontextmanager
async def models_of(settings: Settings) -> AsyncIterator[Models]:
    """What the settings name, closed at the end."""
    async with (
        aclosing(await asyncio.to_thread(load_generator, settings.generator)) as generator,
        aclosing(await asyncio.to_thread(reward_model_of, settings)) as reward_model,
        with_checker(generator, reward_model) as models,
    ):
        yield models


@asynccontextmanager
async def embedded_models() -> AsyncIterator[Models]:
    """The pair that ships with the package, closed at the end."""
    async with (
        aclosing(await asyncio.to_thread(load_generator, "embedded")) as generator,
        aclosing(await asyncio.to_thread(load_reward_model, "embedded")) as reward_model,
        with_checker(generator, reward_model) as models,
    ):
        yield models
