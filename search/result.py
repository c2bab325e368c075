"""What a search returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from epf.core.generator import Step, TopTokens
from epf.search.confidence.evidence import Evidence

StopReason = Literal["finished", "max_steps", "max_tokens", "deadline", "budget", "context", "model_failed"]
"""``finished``, or what ended the search early.

With ``max_tokens`` no particle finished within ``max_tokens_per_particle``, with ``context`` none within a model's context.
With ``model_failed`` all servers of a model were lost in the middle: without a generator, the answer is the best one so far;
without a reward model, the search has gone on without scores.
"""


@dataclass(frozen=True, slots=True)
class Token:
    """One sampled token.

    Attributes:
        id: its id in the model's vocabulary; None where the generator's server shows only text.
        data: bytes that it adds to the text; they may begin or end within a character, and are empty for a special token.
        log_prob: its log probability in nats, see ``Step.log_probs``; None where the server reports that it is too low.
        top: the most likely tokens at its position, see ``Step.top_log_probs``.
    """

    id: int | None
    data: bytes
    log_prob: float | None
    top: TopTokens = ()


@dataclass(frozen=True, slots=True)
class Particle:
    r"""One partial or complete solution.

    Attributes:
        steps: sampled steps in order.
        scores: PRM probability after each step, ``(len(steps),)``. A method that scores only whole solutions has one score, a
            method without a reward model none.
        lineage: index of the ancestor at each resampling, oldest first.
        finished: whether the model ended it, or it has an answer; false after a step that was cut at its token limit.
        answer: the answer that its text states, ``not enough information`` if a finished one concludes that, None without
            either. An unfinished particle has one only if it is settled.
        log_weight: final untempered log weight; -inf for a dead particle.
        tokens: with the option ``logprobs``, the tokens of each step as sampled, ``(len(steps),)``; None for a step whose log
            probabilities the generator does not know. The token that ended the turn is missing where a server does not show it.
    """

    steps: tuple[Step, ...]
    scores: tuple[float, ...]
    lineage: tuple[int, ...]
    finished: bool
    answer: str | None
    log_weight: float
    tokens: tuple[tuple[Token, ...] | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class AnswerShare:
    """One class of mathematically equal answers: its representative, its share of the weight, its number of particles.

    Particles that conclude that the problem lacks information are a class as well, ``not enough information``.
    """

    answer: str
    probability: float
    n_particles: int


@dataclass(frozen=True, slots=True)
class StepRecord:
    """State and effect of resampling round ``t``, counted from 1, in each sweep of a method that sweeps several times.

    Attributes:
        ess: effective sample size before annealing of the particles that take part in the draw, in [1, n]. Finished ones do
            not in pf_once and with ``resample_finished`` false.
        entropy: entropy of the normalised weights of the same particles, in nats.
        temperature: temperature of the resampling distribution; 1 is no annealing.
        resampled: whether ancestors were drawn.
        distinct_ancestors: number of different particles that survived.
    """

    t: int
    ess: float
    entropy: float
    temperature: float
    resampled: bool
    distinct_ancestors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Cost of the search.

    Attributes:
        prompt_tokens: number of tokens of the rendered prompt, counted once.
        generated_tokens: number of sampled tokens, look-ahead and steps that began before the draw included.
        discarded_tokens: number of sampled tokens that are in no final particle.
        prm_tokens, prm_calls: number of tokens that all PRMs computed, and of scores that were asked for.
        prm_tokens_of: number of tokens that each PRM computed, by its name.
        generating_s, scoring_s, resampling_s, waiting_s: seconds of the search by activity: at least one particle generating;
            at least one scoring and none generating; resampling and answer selection; anything else.
        total_s: wall-clock seconds, the sum of the four.
    """

    prompt_tokens: int
    generated_tokens: int
    discarded_tokens: int
    prm_tokens: int
    prm_tokens_of: Mapping[str, int] = field(default_factory=dict)  # searches of earlier versions have none
    prm_calls: int
    generating_s: float
    scoring_s: float
    resampling_s: float
    waiting_s: float
    total_s: float


WarningCode = Literal[
    "low_scores",
    "not_enough_information",
    "answers_differ",
    "few_answers",
    "temperature_zero",
    "no_reward_model",
    "compared_as_text",
    "outside_training",
    "not_scored",
    "logprobs_missing",
]
"""Codes of :data:`epf.search.engine.warnings.MEANINGS`."""


@dataclass(frozen=True, slots=True)
class SearchWarning:
    """A reason to doubt the result: a code for programs; what happened, what it means and what to do, for people."""

    code: WarningCode
    message: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer, and how the search found it.

    Attributes:
        answer: selected answer; None if no finished particle has one, or if the vote is that the problem lacks information.
        confidence: probability that the answer is right, in [0, 1], or that the problem lacks information if that was the vote;
            0 otherwise. See :mod:`epf.search.confidence`.
        share: share of the vote that the answer got, in [0, 1]: its probability in ``distribution``.
        solution: full text of the best particle with that answer, steps joined by the separator.
        shown: index of that particle.
        distribution: all answers, most probable first; probabilities sum to one unless it is empty.
        answer_entropy: entropy of that distribution, in nats.
        stop_reason: ``finished``, or the limit that cut the search short; the answer is then the best so far.
        warnings: reasons to doubt the result; usually empty.
        evidence: what the confidence was computed from; None without an answer.
        log_evidence: estimate of the log normalising constant of the weighting's target; NaN for a method without a target.
    """

    answer: str | None
    confidence: float
    share: float
    solution: str
    shown: int
    distribution: tuple[AnswerShare, ...]
    answer_entropy: float
    stop_reason: StopReason
    warnings: tuple[SearchWarning, ...]
    method: str
    seed: int
    log_evidence: float
    usage: Usage
    steps: tuple[StepRecord, ...]
    particles: tuple[Particle, ...]
    evidence: Evidence | None = None

    @property
    def conclusion(self) -> str | None:
        """The answer, or ``not enough information`` where that won the vote; None if no solution concludes anything."""
        lacking = any(warning.code == "not_enough_information" for warning in self.warnings)
        return self.particles[self.shown].answer if lacking else self.answer
