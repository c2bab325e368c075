"""Families by name. To add a family, write one file and add one line here."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from epf.core.errors import InvalidRequest
from epf.reward_models.families.embedded import embedded
from epf.reward_models.families.family import Family
from epf.reward_models.families.math_shepherd import math_shepherd
from epf.reward_models.families.qwen import qwen
from epf.reward_models.families.rlhflow import rlhflow
from epf.reward_models.families.skywork import skywork

FAMILIES: Mapping[str, Callable[[Path], Family]] = MappingProxyType(
    {
        "embedded": embedded,
        "math-shepherd": math_shepherd,
        "qwen2.5-math-prm": qwen,
        "rlhflow": rlhflow,
        "skywork-o1-prm": skywork,
    }
)


def load_family(name: str, directory: Path) -> Family:
    """Load the family ``name`` with the tokenizer in ``directory``.

    Raises:
        InvalidRequest: the name is unknown.
    """
    if name not in FAMILIES:
        raise InvalidRequest(f"Unknown reward model family {name!r}. Choose one of {', '.join(FAMILIES)}.", param="family")
    return FAMILIES[name](directory)
