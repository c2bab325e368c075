"""The pairs of models that ship with this package: a generator, the reward model that knows its solutions, and their map."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Role = Literal["generator", "reward_model"]


@dataclass(frozen=True, slots=True)
class ShippedPair:
    """A pair of models by its name, such as ``plain``; ``generator_of`` is the pair whose generator it shares, if any."""

    name: str
    generator_of: str | None = None

    @property
    def directory(self) -> Path:
        """Directory of the pair."""
        return Path(__file__).parent / "weights" / self.name

    @property
    def generator(self) -> Path:
        """Directory of the generator."""
        return Path(__file__).parent / "weights" / (self.generator_of or self.name) / "generator"

    @property
    def reward_model(self) -> Path:
        """Directory of the reward model."""
        return self.directory / "reward_model"

    def directory_of(self, role: Role) -> Path:
        """Directory of one of the models."""
        return self.generator if role == "generator" else self.reward_model

    def shares_generator(self, other: "ShippedPair | None") -> bool:
        """Whether the other pair has the same generator, as this one itself has."""
        return other is not None and other.generator == self.generator

    @property
    def confidence(self) -> Path:
        """File of the confidence map, which does not exist before one is fitted."""
        return self.directory / "confidence.json"

    @property
    def profile(self) -> Path:
        """File of the profile, which does not exist before one is learned."""
        return self.directory / "profile.json"

    def model_name(self, role: Role) -> str:
        """Name of one of the models, as its ``config.json`` and the service show it."""
        name = (self.generator_of or self.name) if role == "generator" else self.name
        return f"{name}-{role.replace('_', '-')}"


PLAIN = ShippedPair("plain")
"""Plain word problems and bare arithmetic: for whoever tries the package."""

STORIES = ShippedPair("stories")
"""Weak on purpose: the measuring stick of the benchmarks."""

STORIES_SECOND = ShippedPair("stories-second", generator_of="stories")
"""The second reader of ``stories``: another backbone and other mistakes."""

FORKS = ShippedPair("forks")
"""Walks through mazes, in which a wrong choice shows late."""

FORKS_OVERCONFIDENT = ShippedPair("forks-overconfident", generator_of="forks")
"""The same walks with a reward model that is sure of its guesses."""

PAIRS: Mapping[str, ShippedPair] = MappingProxyType(
    {pair.name: pair for pair in (PLAIN, STORIES, STORIES_SECOND, FORKS, FORKS_OVERCONFIDENT)}
)

DEFAULT_PAIR = PLAIN
"""The pair of whoever names no model."""


def shipped_pair(model: str, role: Role) -> ShippedPair | None:
    """Return the first pair to which a model with this name belongs, whether or not it runs in this process."""
    return next((pair for pair in PAIRS.values() if pair.model_name(role) == model), None)


def pair_in_options(name: str | None, role: Role) -> ShippedPair | None:
    """Return the pair that options of an embedded model name: by its name, its directory, or the default without a name."""
    if name is None:
        return DEFAULT_PAIR
    found = (pair for pair in PAIRS.values() if pair.directory_of(role).resolve() == Path(name).resolve())
    return PAIRS.get(name) or next(found, None)


def embedded_directory(name: str | None, role: Role) -> Path:
    """Return the directory of an embedded model: that of a pair, by its name, or ``name`` itself.

    Raises:
        ValueError: there is neither such a pair nor such a directory.
    """
    if (pair := pair_in_options(name, role)) is not None:
        return pair.directory_of(role)
    if not (directory := Path(str(name))).is_dir():
        raise ValueError(f"there is no model {str(name)!r}: give name one of {', '.join(PAIRS)}, or a directory.")
    return directory
