"""Families by name. To add a family, write one file and add one line here."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from epf.core.errors import InvalidRequest
from epf.engines.onnx.pairs import PAIRS
from epf.reward_models.families.embedded import embedded
from epf.reward_models.families.family import Family
from epf.reward_models.families.math_psa import math_psa
from epf.reward_models.families.math_shepherd import math_shepherd
from epf.reward_models.families.qwen import qwen
from epf.reward_models.families.rlhflow import rlhflow
from epf.reward_models.families.skywork import skywork
from epf.reward_models.families.versaprm import versaprm

FAMILIES: Mapping[str, Callable[[Path], Family]] = MappingProxyType(
    {
        "embedded": embedded,
        "math-psa": math_psa,
        "math-shepherd": math_shepherd,
        "qwen2.5-math-prm": qwen,
        "rlhflow": rlhflow,
        "skywork-o1-prm": skywork,
        "versaprm": versaprm,
    }
)

_MODELS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        family: re.compile(pattern, re.IGNORECASE)
        for family, pattern in {
            "embedded": "|".join(pair.model_name("reward_model") for pair in PAIRS.values()),
            "math-psa": r"math-?psa",
            "math-shepherd": r"math-shepherd\S*prm",
            "qwen2.5-math-prm": r"qwen2\.5-math-(prm-\d|7b-prm800k)",
            "rlhflow": r"llama-?3\.1-8b-prm-(deepseek|mistral)-data",
            "skywork-o1-prm": r"skywork-o1-open-prm",
            "thinkprm": r"thinkprm",
            "versaprm": r"versaprm|llama-prm800k",
        }.items()
    }
)
"""What the names of a family's models have in common, also as files and with what quantization and servers add to them."""


def family_of(model: str) -> str | None:
    """Return the family of a published model by its name, directory or file; None if the name is unknown."""
    return next((family for family, pattern in _MODELS.items() if pattern.search(model)), None)


def load_family(name: str, directory: Path) -> Family:
    """Load the family ``name`` with the tokenizer in ``directory``.

    Raises:
        InvalidRequest: the name is unknown.
    """
    if name not in FAMILIES:
        raise InvalidRequest(f"Unknown reward model family {name!r}. Choose one of {', '.join(FAMILIES)}.", param="family")
    return FAMILIES[name](directory)
