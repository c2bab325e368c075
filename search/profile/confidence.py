"""The confidence map of an embedded pair: one that was fitted for it, or else that of the profile that ships for it."""

from functools import cache

from epf.engines.onnx.pairs import ShippedPair, shipped_pair
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.confidence.shipped import shipped_map
from epf.search.profile.file import load_profile


def shipped_confidence(generator: str, reward_model: str | None) -> ConfidenceMap | None:
    """The map that ships for these models, by name, or None. A search without a reward model has None in its place."""
    if (found := shipped_map(generator, reward_model)) is not None or reward_model is None:
        return found
    pair = shipped_pair(reward_model, "reward_model")
    return None if pair is None or pair.model_name("generator") != generator else _of_profile(pair)


@cache
def _of_profile(pair: ShippedPair) -> ConfidenceMap | None:
    return load_profile(pair.profile).confidence if pair.profile.exists() else None
