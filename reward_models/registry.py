"""Reward models by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from errors import InvalidRequest
from reward_models.embedded import EmbeddedRewardModel
from reward_models.protocol import RewardModel

REWARD_MODELS: Mapping[str, Callable[[], RewardModel]] = MappingProxyType({"embedded": EmbeddedRewardModel})


def load_reward_model(name: str) -> RewardModel:
    """Make the reward model called ``name``; InvalidRequest lists the known names."""
    if name not in REWARD_MODELS:
        known = ", ".join(sorted(REWARD_MODELS))
        raise InvalidRequest(f"unknown reward model {name!r}, known are: {known}", param="reward_model")
    return REWARD_MODELS[name]()
