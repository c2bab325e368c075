"""Requests and responses of ``/solve``. Nothing here loads a model, so the command line prints the same shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints

from epf.core.generator import Finish, Step
from epf.search.options import SearchOptions
from epf.search.result import AnswerShare, Particle, SearchResult, SearchWarning, StepRecord, StopReason, Token, Usage

REQUEST_ID = "Id of the request, also in the x-request-id header; DELETE /solve/{id} cancels the request."

NonBlank = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]

ProblemText = Annotated[
    NonBlank,
    Field(
        description="The problem, in plain text.",
        examples=["There are 45 birds on a wire. 17 fly away. How many are left?"],
    ),
]


class SolveRequest(SearchOptions):
    """A problem and the options of the search."""

    problem: ProblemText
    stream: bool = Field(False, description="Respond with server-sent events, one for each event of the search.")
    return_particles: bool = Field(False, description="Include every particle in the response: its steps, scores and lineage.")


@dataclass(frozen=True, slots=True)
class TopLogprob:
    """One of the most likely tokens at a position, with its log probability in nats."""

    token: str
    logprob: float


class StepOut(BaseModel):
    """One step of a particle."""

    text: str
    finish: Finish
    n_tokens: int
    token_ids: list[int] | None = Field(
        None, description="Only with logprobs: ids of the tokens as sampled; null where the generator's server shows only text."
    )
    tokens: list[str] | None = Field(
        None, description="Only with logprobs: texts of the tokens; \ufffd stands for a part of a character."
    )
    logprobs: list[float | None] | None = Field(
        None,
        description="Only with logprobs: log probability of each token in nats; null where the server reports that it is too "
        "low. Null in place of all lists if the server did not show the tokens of this step, which `warnings` says. The token "
        "that ended the turn is missing where a server does not show it.",
    )
    top_logprobs: list[list[TopLogprob]] | None = Field(
        None, description="Only with top_logprobs: the most likely tokens at the position of each token, most likely first."
    )

    @classmethod
    def of(cls, step: Step, tokens: Sequence[Token] | None, *, logprobs: bool) -> Self:
        """The step; with ``logprobs`` also its tokens, which are null if they are not known."""
        more: dict[str, Any] = {}
        if logprobs:
            more = {"token_ids": None, "tokens": None, "logprobs": None}
        if tokens is not None:
            ids = [token.id for token in tokens if token.id is not None]
            more["token_ids"] = ids if len(ids) == len(tokens) else None
            more["tokens"] = [_text(token.data) for token in tokens]
            more["logprobs"] = [token.log_prob for token in tokens]
            if any(token.top for token in tokens):
                more["top_logprobs"] = [[_top(*one) for one in token.top] for token in tokens]
        return cls(text=step.text, finish=step.finish, n_tokens=len(step.token_ids), **more)


class ParticleOut(BaseModel):
    """One partial or complete solution. ``log_weight`` is null for a dead particle."""

    steps: list[StepOut]
    scores: list[float]
    lineage: list[int]
    finished: bool
    answer: str | None
    log_weight: float | None

    @classmethod
    def of(cls, particle: Particle) -> Self:
        """Everything in a particle, with its tokens if the search was asked for log probabilities."""
        tokens = particle.tokens or (None,) * len(particle.steps)
        logprobs = particle.tokens is not None
        return cls(
            steps=[StepOut.of(*pair, logprobs=logprobs) for pair in zip(particle.steps, tokens, strict=True)],
            scores=list(particle.scores),
            lineage=list(particle.lineage),
            finished=particle.finished,
            answer=particle.answer,
            log_weight=particle.log_weight if particle.log_weight > float("-inf") else None,
        )


class SolveResult(BaseModel):
    """The answer and how the search found it. ``particles`` is present only if requested."""

    answer: str | None = Field(description="Null if no finished particle has an answer.")
    confidence: float = Field(description="Probability that the answer is right, in [0, 1]; 0 without an answer.")
    share: float = Field(description="Share of the vote that the answer got, in [0, 1]: its probability in the distribution.")
    solution: str = Field(description="Full text of the best particle with that answer.")
    distribution: list[AnswerShare] = Field(description="All answers, most probable first.")
    answer_entropy: float = Field(description="Entropy of the distribution, in nats.")
    stop_reason: StopReason = Field(description="finished, or what ended the search early.")
    warnings: list[SearchWarning] = Field(description="Reasons to doubt the result; usually empty.")
    method: str
    seed: int = Field(description="Seed of the search; the same seed gives the same answer with the embedded models.")
    usage: Usage
    steps: list[StepRecord] = Field(description="One record per resampling round.")
    particles: list[ParticleOut] = Field(default=[], description="Only with return_particles or logprobs.")

    @classmethod
    def of(cls, result: SearchResult, *, particles: bool = False, **more: Any) -> Self:
        """Dump with ``exclude_unset=True``, which omits ``particles`` unless they or their log probabilities are requested."""
        if particles or any(particle.tokens is not None for particle in result.particles):
            more["particles"] = [ParticleOut.of(particle) for particle in result.particles]
        return cls(
            answer=result.answer,
            confidence=result.confidence,
            share=result.share,
            solution=result.solution,
            distribution=list(result.distribution),
            answer_entropy=result.answer_entropy,
            stop_reason=result.stop_reason,
            warnings=list(result.warnings),
            method=result.method,
            seed=result.seed,
            usage=result.usage,
            steps=list(result.steps),
            **more,
        )


class SolveResponse(SolveResult):
    """The answer and the id of its request."""

    id: str = Field(description=REQUEST_ID)


def n_log_probs(result: SearchResult) -> int:
    """Number of log probabilities that a result has in its particles: writing one takes longer than a character of a text."""
    steps = (tokens for particle in result.particles for tokens in particle.tokens or () if tokens is not None)
    return sum(len(tokens) + sum(len(token.top) for token in tokens) for tokens in steps)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _top(data: bytes, log_prob: float) -> TopLogprob:
    return TopLogprob(_text(data), log_prob)


class CancelResponse(BaseModel):
    """The result of a cancellation."""

    id: str
    cancelled: int = Field(description="Number of cancelled requests with this id.")
