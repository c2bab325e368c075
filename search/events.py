"""What a search reports while it runs: one typed event per thing that happened, in order, the last one ``Answered``."""

from dataclasses import dataclass

from epf.core.generator import Finish
from epf.search.result import SearchResult, StepRecord


@dataclass(frozen=True, slots=True)
class Started:
    """The search began."""

    method: str
    n_particles: int
    seed: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class StepTaken:
    """Particle ``particle`` (index in 0..n-1) ended step ``t`` (1-based); ``lookahead`` marks a successor drawn to judge it by.

    A successor that its particle keeps is reported again as its next step, with ``n_tokens`` 0.
    """

    particle: int
    t: int
    text: str
    finish: Finish
    n_tokens: int
    lookahead: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """The PRM judged that step."""

    particle: int
    t: int
    score: float
    lookahead: bool


@dataclass(frozen=True, slots=True)
class Resampled:
    """All particles were weighed at step ``record.t``; ``ancestors[i]`` is the particle that slot i continues, ``(n,)``.

    ``answer`` is the best answer so far (None before any particle finished) and ``n_finished`` how many particles finished.
    """

    record: StepRecord
    ancestors: tuple[int, ...]
    n_finished: int
    answer: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The search ended."""

    result: SearchResult


Event = Started | StepTaken | Scored | Resampled | Answered
