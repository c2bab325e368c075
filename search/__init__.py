"""Search over reasoning steps with a language model and a process reward model."""

from epf.search.api import asolve, solve, stream
from epf.search.events import Answered, Event, Resampled, Scored, Started, StepTaken
from epf.search.methods import METHODS
from epf.search.options import SearchOptions
from epf.search.result import AnswerShare, Particle, SearchResult, SearchWarning, StepRecord, Usage

__all__ = [
    "METHODS",
    "AnswerShare",
    "Answered",
    "Event",
    "Particle",
    "Resampled",
    "Scored",
    "SearchOptions",
    "SearchResult",
    "SearchWarning",
    "Started",
    "StepRecord",
    "StepTaken",
    "Usage",
    "asolve",
    "solve",
    "stream",
]
