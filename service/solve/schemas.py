"""What the search routes accept and answer. Nothing here loads a model, so the command line prints the same shape."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from epf.core.generator import Finish
from epf.search.options import SearchOptions
from epf.search.result import AnswerShare, Particle, SearchResult, StepRecord, StopReason, Usage

Written = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
"""A text that is not blank."""

Problem = Annotated[
    Written,
    Field(
        description="The problem, in plain words.",
        examples=["There are 45 birds on a wire. 17 fly away. How many are left?"],
    ),
]


class SolveRequest(SearchOptions):
    """A problem and how to search."""

    problem: Problem
    stream: bool = Field(False, description="Answer with server-sent events, one for each thing that happens.")
    return_particles: bool = Field(False, description="Answer with every particle: its steps, scores and lineage.")


class ScoreRequest(BaseModel):
    """A problem and the steps of a solution, to be judged."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    problem: Problem
    steps: list[Written] = Field(
        min_length=1,
        description="Steps of the solution in order, as a search splits them: without separators.",
        examples=[["45 - 17 = 28.", "The answer is \\boxed{28}."]],
    )


class StepOut(BaseModel):
    """One step of a particle."""

    text: str
    finish: Finish
    n_tokens: int


class ParticleOut(BaseModel):
    """One partial or whole solution. ``log_weight`` is null for a dead particle."""

    steps: list[StepOut]
    scores: list[float]
    lineage: list[int]
    finished: bool
    answer: str | None
    log_weight: float | None

    @classmethod
    def of(cls, particle: Particle) -> Self:
        """Everything of a particle but its token ids."""
        return cls(
            steps=[StepOut(text=step.text, finish=step.finish, n_tokens=len(step.token_ids)) for step in particle.steps],
            scores=list(particle.scores),
            lineage=list(particle.lineage),
            finished=particle.finished,
            answer=particle.answer,
            log_weight=particle.log_weight if particle.log_weight > float("-inf") else None,
        )


class SolveResult(BaseModel):
    """The answer and how it came about. ``particles`` is there only when asked for."""

    answer: str | None = Field(description="Null if no finished particle has an answer.")
    confidence: float = Field(description="Share of the weight behind the answer, in [0, 1].")
    solution: str = Field(description="Full text of the best particle with that answer.")
    distribution: list[AnswerShare] = Field(description="All answers, most probable first.")
    answer_entropy: float = Field(description="Of the distribution, in nats.")
    stop_reason: StopReason = Field(description="finished, or the limit that cut the search short.")
    method: str
    seed: int = Field(description="The same seed gives the same answer on the embedded models.")
    usage: Usage
    steps: list[StepRecord] = Field(description="One record per resampling round.")
    particles: list[ParticleOut] = Field(default=[], description="Only with return_particles.")

    @classmethod
    def of(cls, result: SearchResult, *, particles: bool = False, **more: Any) -> Self:
        """Dump with ``exclude_unset=True``, which leaves ``particles`` out unless they were asked for."""
        if particles:
            more["particles"] = [ParticleOut.of(particle) for particle in result.particles]
        return cls(
            answer=result.answer,
            confidence=result.confidence,
            solution=result.solution,
            distribution=list(result.distribution),
            answer_entropy=result.answer_entropy,
            stop_reason=result.stop_reason,
            method=result.method,
            seed=result.seed,
            usage=result.usage,
            steps=list(result.steps),
            **more,
        )


class SolveResponse(SolveResult):
    """The answer, and the id of the request that asked for it."""

    id: str = Field(description="Of the request, also in the x-request-id header; DELETE /solve/{id} cancels by it.")


class ScoreResponse(BaseModel):
    """What the reward model thinks of each step."""

    id: str = Field(description="Of the request, also in the x-request-id header; DELETE /solve/{id} cancels by it.")
    model: str = Field(description="The reward model.")
    scores: list[float] = Field(description="Probability after each step that all steps so far are right, in [0, 1].")
    prm_tokens: int = Field(description="Tokens that the reward model computed; cached ones do not count.")


class CancelResponse(BaseModel):
    """What was cancelled."""

    id: str
    cancelled: int = Field(description="How many requests with this id were cancelled.")


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(BaseModel):
    """The server takes work, with these models."""

    status: Literal["HEALTHY"] = "HEALTHY"
    version: str
    models: dict[str, str] = Field(description="Name of each model, by what it is for.")


class ErrorDetail(BaseModel):
    """What went wrong, in the form that clients of the OpenAI API read."""

    message: str
    type: str
    param: str | None = Field(description="The field at fault, where there is one.")
    code: str | None


class ErrorBody(BaseModel):
    """Body of every error."""

    error: ErrorDetail
