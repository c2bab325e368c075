"""The profiles of the embedded pairs, each of which lies next to the weights of its models."""

from functools import cache

from epf.engines.onnx.pairs import Role, ShippedPair, pair_in_options
from epf.engines.reference import EMBEDDED
from epf.generators.registry import GeneratorOptions
from epf.reward_models.registry import RewardModelOptions
from epf.search.pair import Pair
from epf.search.profile.file import load_profile
from epf.search.profile.profile import Profile


def shipped_profile(models: Pair) -> Profile | None:
    """The profile that ships for models that are named, if both are of one embedded pair; None for any other."""
    pair = _pair(models.reward_model, "reward_model")
    return None if pair is None or not pair.shares_generator(_pair(models.generator, "generator")) else _load(pair)


def _pair(model: object, role: Role) -> ShippedPair | None:
    if not isinstance(model, GeneratorOptions | RewardModelOptions) or model.kind != EMBEDDED:
        return None
    if isinstance(model, RewardModelOptions) and model.also:
        return None
    return pair_in_options(model.name, role)


@cache
def _load(pair: ShippedPair) -> Profile | None:
    return load_profile(pair.profile) if pair.profile.exists() else None  # without a file until epf tune has run for the pair
