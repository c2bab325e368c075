"""Server-sent events of ``POST /solve`` with ``stream``."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import asdict
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from epf.core.generator import Finish
from epf.core.off_loop import off_loop
from epf.search.events import Answered, Resampled, Scored, Started, StepTaken, TextSampled
from epf.search.result import AnswerShare
from epf.search.runner import SearchRequest
from epf.service.http.errors import detail_of
from epf.service.http.schemas import ErrorDetail
from epf.service.http.sse import event_frame
from epf.service.searches.lease import Lease
from epf.service.solve.schemas import REQUEST_ID, SolveResponse, n_log_probs


class StartedEvent(BaseModel):
    """The search has started."""

    type: Literal["started"]
    id: str = Field(description=REQUEST_ID)
    method: str
    n_particles: int
    seed: int
    prompt_tokens: int | None = Field(
        description="Tokens of the prompt; null where only the generator's server counts them, see `usage` of the result."
    )


class StepEvent(BaseModel):
    """A particle completed a step. A look-ahead successor is sent again, with no tokens, if its particle keeps it."""

    type: Literal["step"]
    particle: int = Field(description="Index of the particle, from 0 to n_particles - 1.")
    t: int = Field(description="Number of the step, from 1.")
    text: str
    finish: Finish
    n_tokens: int
    lookahead: bool = Field(description="Whether the step was sampled only to score the step before it.")


class ScoredEvent(BaseModel):
    """The reward model scored a step."""

    type: Literal["scored"]
    particle: int
    t: int
    score: float = Field(description="Probability that all steps so far are correct, in [0, 1].")
    lookahead: bool


class ResampledEvent(BaseModel):
    """A resampling round: the weights of all particles were updated."""

    type: Literal["resampled"]
    t: int
    ess: float = Field(description="Effective sample size before annealing, in [1, n_particles].")
    entropy: float = Field(description="Entropy of the normalised weights, in nats.")
    temperature: float = Field(description="Temperature of the resampling distribution; 1 means no annealing.")
    resampled: bool = Field(description="Whether ancestors were drawn.")
    distinct_ancestors: int
    ancestors: list[int] = Field(description="For each slot, the index of the particle that it continues.")
    n_finished: int = Field(description="Number of finished particles.")
    answer: str | None = Field(description="The best answer so far.")
    distribution: list[AnswerShare] = Field(
        description="All answers so far, most probable first, equal only if their texts are. The result compares them as "
        "mathematics."
    )
    confidence: float | None = Field(
        None,
        description="Probability that the best answer so far is right, as if the search ended now. Null without an answer.",
    )
    weights: list[float] = Field(
        description="Normalised weight of each particle before annealing, to 6 digits. 0 for one that is discarded or takes no "
        "part in the round."
    )
    probabilities: list[float] | None = Field(
        description="Probability of each particle in one draw of an ancestor, after annealing, to 6 digits. Null if the round "
        "did not draw ancestors at random."
    )


class AnswerEvent(BaseModel):
    """The search ended; this is the last event."""

    type: Literal["answer"]
    result: SolveResponse


class ErrorEvent(BaseModel):
    """The request failed; this is the last event."""

    type: Literal["error"]
    error: ErrorDetail


AnySolveEvent = StartedEvent | StepEvent | ScoredEvent | ResampledEvent | AnswerEvent | ErrorEvent


class SolveEvent(RootModel[Annotated[AnySolveEvent, Field(discriminator="type")]]):
    """Data of one server-sent event of ``POST /solve``; its ``type`` is also the name of the event."""


async def frames(
    request: SearchRequest, leasing: AbstractAsyncContextManager[Lease], *, id: str, particles: bool
) -> AsyncGenerator[str, None]:
    """Server-sent events of one search. The lease is taken before the first one, so that a refusal is an ordinary error."""
    async with leasing as lease, aclosing(lease.stream(request)) as events:
        async for event in events:
            if isinstance(event, TextSampled):  # every step follows as a whole
                continue
            write = partial(_written, event, id=id, particles=particles)
            yield await off_loop(n_log_probs(event.result), write) if isinstance(event, Answered) else write()


def _written(event: Started | StepTaken | Scored | Resampled | Answered, *, id: str, particles: bool) -> str:
    return frame(to_schema(event, id=id, particles=particles))


def error_frame(error: Exception) -> str:
    """The last event of a stream that fails after its first event."""
    return frame(ErrorEvent(type="error", error=detail_of(error)))


def to_schema(event: Started | StepTaken | Scored | Resampled | Answered, *, id: str, particles: bool) -> AnySolveEvent:
    """The schema of ``event``."""
    match event:
        case Started():
            return StartedEvent(type="started", id=id, **asdict(event))
        case StepTaken():
            return StepEvent(type="step", **asdict(event))
        case Scored():
            return ScoredEvent(type="scored", **asdict(event))
        case Resampled():
            return ResampledEvent(
                type="resampled",
                **asdict(event.record),
                ancestors=list(event.ancestors),
                n_finished=event.n_finished,
                answer=event.answer,
                distribution=list(event.distribution),
                confidence=event.confidence,
                weights=_short(event.weights),
                probabilities=None if event.probabilities is None else _short(event.probabilities),
            )
        case Answered():
            return AnswerEvent(type="answer", result=SolveResponse.of(event.result, particles=particles, id=id))


def _short(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def frame(event: AnySolveEvent) -> str:
    """One server-sent event."""
    return event_frame(event.type, event.model_dump_json(exclude_unset=True))
