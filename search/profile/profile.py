"""A profile: how ``epf`` searches best with one pair of models, and why.

No fixed setting wins with all pairs: where a reward model misreads early steps, its scores there should count less, and where
it reads them well, they should not. A profile holds what problems with known answers have shown. It applies to the method
``epf`` alone, as defaults: options of the settings and of a request win, and other methods do not change.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from epf.core.errors import InvalidRequest
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.methods.epf import EPF
from epf.search.options import SearchOptions


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of one pair.

    Attributes:
        generator, reward_model: names of the models that it was learned with.
        recipe: how it was learned.
        options: options of ``epf`` by name; empty if the defaults are as good as anything that was tried.
        findings: what was found and why, one sentence each, for people.
        confidence: a map fitted on the same searches; None without one.
    """

    generator: str
    reward_model: str
    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    confidence: ConfidenceMap | None = None

    def __post_init__(self) -> None:
        """Raise ``InvalidRequest`` for an option that does not exist, is out of range, or is not read by ``epf``."""
        SearchOptions(**self.options)
        for name in self.options:
            if name in ("method", "seed") or not EPF.reads(name):
                raise InvalidRequest(f"a profile holds options of epf, and {name} is not one of them: leave it out", param=name)

    @property
    def file_name(self) -> str:
        """File name that has the names of both models."""
        generator, reward_model = (re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-") for name in self.models)
        return f"{generator}--{reward_model}.profile.json"

    @property
    def models(self) -> tuple[str, str]:
        """Names of both models."""
        return self.generator, self.reward_model

    def check(self, generator: str, reward_model: str | None) -> None:
        """Raise ``InvalidRequest`` if the profile was learned with other models, of which the reward model may be none."""
        if (generator, reward_model) != self.models:
            now = f"{generator!r} with {'no reward model' if reward_model is None else repr(reward_model)}"
            message = f"The profile was learned with {self.generator!r} and {self.reward_model!r}, not for {now}"
            raise InvalidRequest(f"{message}: learn one for these models with epf tune, or leave it out", param="profile")
