"""Entropic particle filtering: more right answers from an open language model at inference time.

``solve`` searches and returns the result, ``asolve`` is its coroutine and ``stream`` yields the events of the search. The other
names are the values that these three take and return.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epf.search import METHODS as METHODS
    from epf.search import Answered as Answered
    from epf.search import AnswerShare as AnswerShare
    from epf.search import Event as Event
    from epf.search import GeneratorOptions as GeneratorOptions
    from epf.search import Particle as Particle
    from epf.search import Resampled as Resampled
    from epf.search import RewardModelOptions as RewardModelOptions
    from epf.search import Scored as Scored
    from epf.search import SearchOptions as SearchOptions
    from epf.search import SearchResult as SearchResult
    from epf.search import SearchWarning as SearchWarning
    from epf.search import Started as Started
    from epf.search import StepRecord as StepRecord
    from epf.search import StepTaken as StepTaken
    from epf.search import TextSampled as TextSampled
    from epf.search import Usage as Usage
    from epf.search import asolve as asolve
    from epf.search import solve as solve
    from epf.search import stream as stream

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
    """Import a public name on first use, so that ``epf --help`` loads no models and no numpy."""
    if name not in __all__:
        raise AttributeError(f"module 'epf' has no attribute {name!r}")
    return getattr(import_module("epf.search"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
