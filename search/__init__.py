"""Search over reasoning steps with a language model and a process reward model."""

from search.api import asolve, solve, stream
from search.config import SearchConfig
from search.events import Answered, Event, Resampled, Scored, Started, StepTaken
from search.methods import METHODS
from search.result import AnswerShare, Particle, SearchResult, StepRecord, Usage

__all__ = [
    "METHODS",
    "AnswerShare",
    "Answered",
    "Event",
    "Particle",
    "Resampled",
    "Scored",
    "SearchConfig",
    "SearchResult",
    "Started",
    "StepRecord",
    "StepTaken",
    "Usage",
    "asolve",
    "solve",
    "stream",
]
