"""The generator and the reward model that all searches of a process share."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from generators.protocol import Generator
from generators.registry import load_generator
from reward_models.protocol import RewardModel
from reward_models.registry import load_reward_model


@dataclass(frozen=True, slots=True)
class Models:
    """One generator and the reward model that judges its steps."""

    generator: Generator
    reward_model: RewardModel


@asynccontextmanager
async def embedded_models() -> AsyncIterator[Models]:
    """The pair that ships with the package, closed at the end."""
    async with (
        aclosing(load_generator("embedded")) as generator,
        aclosing(load_reward_model("embedded")) as reward_model,
    ):
        yield Models(generator, reward_model)
