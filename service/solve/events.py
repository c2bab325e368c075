"""Events of ``POST /solve`` with ``stream``: what the search tells, as a client reads it."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from epf.core.generator import Finish
from epf.search.events import Answered, Event, Resampled, Scored, Started, StepTaken
from epf.search.request import SearchRequest
from epf.service.http.errors import detail_of
from epf.service.http.sse import event_frame
from epf.service.searches.lease import Place
from epf.service.solve.schemas import ErrorDetail, SolveResponse


class StartedEvent(BaseModel):
    """The search began."""

    type: Literal["started"]
    id: str = Field(description="Of the request, also in the x-request-id header; DELETE /solve/{id} cancels by it.")
    method: str
    n_particles: int
    seed: int
    prompt_tokens: int


class StepEvent(BaseModel):
    """A particle ended a step. A successor drawn to look ahead is told again, with no tokens, if its particle keeps it."""

    type: Literal["step"]
    particle: int = Field(description="Index in 0 to n_particles - 1.")
    t: int = Field(description="Number of the step, from 1.")
    text: str
    finish: Finish
    n_tokens: int
    lookahead: bool = Field(description="Drawn to judge the step before it by.")


class ScoredEvent(BaseModel):
    """The reward model judged a step."""

    type: Literal["scored"]
    particle: int
    t: int
    score: float = Field(description="Probability that all steps so far are right, in [0, 1].")
    lookahead: bool


class ResampledEvent(BaseModel):
    """All particles were weighed."""

    type: Literal["resampled"]
    t: int
    ess: float = Field(description="Effective sample size before annealing, in [1, n_particles].")
    entropy: float = Field(description="Of the normalised weights, in nats.")
    temperature: float = Field(description="Of the resampling distribution; 1 is no annealing.")
    resampled: bool = Field(description="Whether ancestors were drawn.")
    distinct_ancestors: int
    ancestors: list[int] = Field(description="For each slot the particle that it continues.")
    n_finished: int = Field(description="Particles that finished.")
    answer: str | None = Field(description="The best answer so far.")


class AnswerEvent(BaseModel):
    """The search ended; the stream too."""

    type: Literal["answer"]
    result: SolveResponse


class ErrorEvent(BaseModel):
    """The request failed; the stream ends."""

    type: Literal["error"]
    error: ErrorDetail


AnySolveEvent = StartedEvent | StepEvent | ScoredEvent | ResampledEvent | AnswerEvent | ErrorEvent


class SolveEvent(RootModel[Annotated[AnySolveEvent, Field(discriminator="type")]]):
    """Data of one server-sent event of ``POST /solve``; its ``type`` is the event's name too."""


async def frames(
    order: SearchRequest, room: AbstractAsyncContextManager[Place], *, id: str, particles: bool
) -> AsyncGenerator[str, None]:
    """Server-sent events of one search; the room is taken before the first one, so that a refusal is an ordinary error."""
    async with room as place, aclosing(place.stream(order)) as events:
        async for event in events:
            yield frame(told(event, id=id, particles=particles))


def failed(error: Exception) -> str:
    """The last event of a stream that has begun."""
    return frame(ErrorEvent(type="error", error=detail_of(error)))


def told(event: Event, *, id: str, particles: bool) -> AnySolveEvent:
    """``event`` as a client reads it."""
    match event:
        case Started():
            return StartedEvent(type="started", id=id, **asdict(event))
        case StepTaken():
            return StepEvent(type="step", **asdict(event))
        case Scored():
            return ScoredEvent(type="scored", **asdict(event))
        case Resampled():
            ancestors, record = list(event.ancestors), asdict(event.record)
            return ResampledEvent(
                type="resampled", ancestors=ancestors, n_finished=event.n_finished, answer=event.answer, **record
            )
        case Answered():
            return AnswerEvent(type="answer", result=SolveResponse.of(event.result, particles=particles, id=id))


def frame(event: AnySolveEvent) -> str:
    """One server-sent event."""
    return event_frame(event.type, event.model_dump_json(exclude_unset=True))
