"""The maps of the embedded pairs, each of which lies next to the weights of its models."""

from functools import cache

from epf.engines.onnx.pairs import ShippedPair, shipped_pair
from epf.search.confidence.file import load_map
from epf.search.confidence.fitted import ConfidenceMap


def shipped_map(generator: str, reward_model: str | None) -> ConfidenceMap | None:
    """The map that ships for these models, by name, or None. A search without a reward model has None in its place."""
    pair = shipped_pair(generator, "generator") if reward_model is None else shipped_pair(reward_model, "reward_model")
    return None if pair is None or pair.model_name("generator") != generator else _load(pair)


@cache
def _load(pair: ShippedPair) -> ConfidenceMap | None:
    return load_map(pair.confidence) if pair.confidence.exists() else None  # without a file while it is fitted for new weights
