"""What all searches of a process share: the two models and the checker of equal answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.generators.registry import GeneratorOptions, load_generator
from epf.reward_models.registry import RewardModelOptions, load_reward_model
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


def generator_of(settings: Settings) -> Generator:
    """The generator that the settings name. Blocks, and needs a thread in which no event loop runs.

    Raises:
        InvalidRequest: the settings do not fit together.
        GeneratorError: its server does not answer.
    """
    key = settings.generator_api_key
    options = GeneratorOptions(
        model=settings.generator_name,
        urls=_urls(settings.generator_url),
        api_key=key.get_secret_value() if key else None,
        tokenizer=settings.generator_tokenizer,
        timeout_s=settings.generator_timeout_s,
        engine=settings.generator_engine,
    )
    return load_generator(settings.generator, options)


def reward_model_of(settings: Settings) -> RewardModel:
    """The reward model that the settings name. Raises InvalidRequest for settings that do not fit together."""
    key = settings.reward_model_api_key
    options = RewardModelOptions(
        model=settings.reward_model_name,
        family=settings.reward_model_family,
        urls=_urls(settings.reward_model_url),
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
        aclosing(await asyncio.to_thread(generator_of, settings)) as generator,
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


def _urls(text: str) -> tuple[str, ...]:
    return tuple(url.strip() for url in text.split(",") if url.strip())
