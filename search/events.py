"""Events of a search, emitted in order while it runs. The last one is ``Answered``."""

from dataclasses import dataclass

from epf.core.generator import Finish
from epf.search.result import AnswerShare, SearchResult, StepRecord


@dataclass(frozen=True, slots=True)
class Started:
    """The search began. ``prompt_tokens`` is None where only the generator's server counts them: the result has them."""

    method: str
    n_particles: int
    seed: int
    prompt_tokens: int | None


@dataclass(frozen=True, slots=True)
class TextSampled:
    """Particle ``particle`` has sampled ``text`` of step ``t``, from character ``at`` of the step.

    Only a plain sample is followed like this. Where ``at`` is not the length of what came before, the generator began again.
    """

    particle: int
    t: int
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class StepTaken:
    """Particle ``particle`` (index in 0..n-1) ended step ``t`` (1-based); ``lookahead`` marks a successor drawn for its score.

    A successor that its particle reuses is emitted again as its next step, with ``n_tokens`` 0.
    """

    particle: int
    t: int
    text: str
    finish: Finish
    n_tokens: int
    lookahead: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """The PRM scored that step."""

    particle: int
    t: int
    score: float
    lookahead: bool


@dataclass(frozen=True, slots=True)
class Resampled:
    """All particles were weighed at step ``record.t``; ``ancestors[i]`` is the particle that slot i continues, ``(n,)``.

    Attributes:
        record: figures of the round.
        ancestors: as above.
        n_finished: number of finished particles.
        answer: the best answer so far; None before any particle finished.
        distribution: all answers so far, most probable first; answers are equal only if their texts are.
        confidence: probability that ``answer`` is right, as if the search ended now; None without an answer.
        weights: normalised weights of the particles, before annealing, ``(n,)``: what the round decided by. 0 for one that is
            discarded or takes no part in the round.
        probabilities: probability of each particle in one draw of an ancestor, after annealing, ``(n,)``. None if the round
            did not draw ancestors at random.
    """

    record: StepRecord
    ancestors: tuple[int, ...]
    n_finished: int
    answer: str | None
    distribution: tuple[AnswerShare, ...] = ()
    confidence: float | None = None
    weights: tuple[float, ...] = ()
    probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The search ended."""

    result: SearchResult


Event = Started | TextSampled | StepTaken | Scored | Resampled | Answered
