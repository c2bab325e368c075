"""What a search returns."""

from dataclasses import dataclass
from typing import Literal

from epf.core.generator import Step

StopReason = Literal["finished", "max_steps", "max_tokens", "deadline", "budget", "context"]
"""``max_tokens``: no particle finished within ``max_tokens_per_particle``; ``context``: nor within a model's context."""


@dataclass(frozen=True, slots=True)
class Particle:
    r"""One partial or whole solution.

    Attributes:
        steps: sampled steps in order.
        scores: PRM probability after each step, ``(len(steps),)``; of a method that asks once, of the whole; else empty.
        lineage: index of the ancestor at each resampling, oldest first.
        finished: ended by the model or with an answer; never true for a length-cut step.
        answer: text of the last non-empty ``\boxed{}``, None without one.
        log_weight: final untempered log weight; -inf for a dead particle.
    """

    steps: tuple[Step, ...]
    scores: tuple[float, ...]
    lineage: tuple[int, ...]
    finished: bool
    answer: str | None
    log_weight: float


@dataclass(frozen=True, slots=True)
class AnswerShare:
    """One class of mathematically equal answers: its representative, share of weight and number of particles."""

    answer: str
    probability: float
    n_particles: int


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What resampling round ``t`` saw and did; 1-based, anew in each sweep of a method that sweeps several times.

    Attributes:
        ess: effective sample size before annealing, in [1, n].
        entropy: of the normalised weights, in nats.
        temperature: of the resampling distribution; 1 is no annealing.
        resampled: whether ancestors were drawn.
        distinct_ancestors: how many different particles survived.
    """

    t: int
    ess: float
    entropy: float
    temperature: float
    resampled: bool
    distinct_ancestors: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What the search cost.

    Attributes:
        prompt_tokens: tokens of the rendered prompt, once.
        generated_tokens: all tokens sampled, look-ahead included.
        discarded_tokens: those of them that are in no final particle.
        prm_tokens, prm_calls: tokens that the PRM computed, and how often it was asked.
        generating_s, scoring_s, resampling_s, waiting_s: seconds of the search by what it did: at least one particle
            generating; none generating, at least one scoring; resampling and answer selection; anything else.
        total_s: wall-clock seconds, their sum.
    """

    prompt_tokens: int
    generated_tokens: int
    discarded_tokens: int
    prm_tokens: int
    prm_calls: int
    generating_s: float
    scoring_s: float
    resampling_s: float
    waiting_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer and how it came about.

    Attributes:
        answer: chosen answer, None if no finished particle has one.
        confidence: share of the weight behind the answer, in [0, 1].
        solution: full text of the best particle with that answer, steps joined by the separator.
        shown: index of that particle.
        distribution: all answers, most probable first; probabilities sum to one unless it is empty.
        answer_entropy: of that distribution, in nats.
        stop_reason: ``finished``, or the limit that cut the search short: then the answer is the best so far.
        log_evidence: estimate of the log normalising constant of the weighting's target; NaN of a method that has none.
    """

    answer: str | None
    confidence: float
    solution: str
    shown: int
    distribution: tuple[AnswerShare, ...]
    answer_entropy: float
    stop_reason: StopReason
    method: str
    seed: int
    log_evidence: float
    usage: Usage
    steps: tuple[StepRecord, ...]
    particles: tuple[Particle, ...]
