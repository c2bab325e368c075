"""The map of the embedded pair, which lies next to the weights of both models."""

from functools import lru_cache

from epf.engines.onnx.config import SHIPPED
from epf.search.confidence.file import load_map
from epf.search.confidence.fitted import ConfidenceMap

FILE = SHIPPED / "confidence.json"


def shipped_map(generator: str, reward_model: str | None) -> ConfidenceMap | None:
    """The map that ships for these models, by name, or None. A search without a reward model has None in its place."""
    found = _load()
    if found is None:
        return None
    return found if generator == found.generator and reward_model in (None, found.reward_model) else None


@lru_cache(maxsize=1)
def _load() -> ConfidenceMap | None:
    return load_map(FILE) if FILE.exists() else None  # without a file while it is fitted for new weights
