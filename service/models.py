"""The generator and the reward model that all searches of a process share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from generators.protocol import Generator
from reward_models.protocol import RewardModel


@dataclass(frozen=True, slots=True)
class Models:
    """One generator and the reward model that judges its steps."""

    generator: Generator
    reward_model: RewardModel


@asynccontextmanager
async def embedded_models() -> AsyncIterator[Models]:
    """The pair that ships with the package, closed at the end."""
    from embedded import load_generator, load_reward_model  # PLACEHOLDER

    models = Models(load_generator(), load_reward_model())
    try:
        yield models
    finally:
        await models.generator.aclose()
        await models.reward_model.aclose()
