"""Search over reasoning steps with a language model and a process reward model.

The names are imported when they are first used, so that the worker that reads answers imports no search.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epf.generators.registry import GeneratorOptions as GeneratorOptions
    from epf.reward_models.registry import RewardModelOptions as RewardModelOptions
    from epf.search.api import asolve as asolve
    from epf.search.api import solve as solve
    from epf.search.api import stream as stream
    from epf.search.events import Answered as Answered
    from epf.search.events import Event as Event
    from epf.search.events import Resampled as Resampled
    from epf.search.events import Scored as Scored
    from epf.search.events import Started as Started
    from epf.search.events import StepTaken as StepTaken
    from epf.search.events import TextSampled as TextSampled
    from epf.search.methods import METHODS as METHODS
    from epf.search.options import SearchOptions as SearchOptions
    from epf.search.result import AnswerShare as AnswerShare
    from epf.search.result import Particle as Particle
    from epf.search.result import SearchResult as SearchResult
    from epf.search.result import SearchWarning as SearchWarning
    from epf.search.result import StepRecord as StepRecord
    from epf.search.result import Usage as Usage

_MODULES = {
    "api": ("asolve", "solve", "stream"),
    "events": ("Answered", "Event", "Resampled", "Scored", "Started", "StepTaken", "TextSampled"),
    "methods": ("METHODS",),
    "options": ("SearchOptions",),
    "result": ("AnswerShare", "Particle", "SearchResult", "SearchWarning", "StepRecord", "Usage"),
}
_HOMES = {
    "GeneratorOptions": "epf.generators.registry",
    "RewardModelOptions": "epf.reward_models.registry",
    **{name: f"epf.search.{module}" for module, names in _MODULES.items() for name in names},
}

__all__ = [
    "METHODS",
    "AnswerShare",
    "Answered",
    "Event",
    "GeneratorOptions",
    "Particle",
    "Resampled",
    "RewardModelOptions",
    "Scored",
    "SearchOptions",
    "SearchResult",
    "SearchWarning",
    "Started",
    "StepRecord",
    "StepTaken",
    "TextSampled",
    "Usage",
    "asolve",
    "solve",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
