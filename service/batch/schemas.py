"""Requests and events of ``POST /solve/batch``.

The response is a stream of server-sent events rather than JSON lines: a batch may be idle for minutes, and only the former have
comments that keep a connection open. It also reads like the stream of ``POST /solve``.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, FailFast, Field, RootModel

from epf.search.options import SearchOptions
from epf.service.http.body import at_most, known_first
from epf.service.http.errors import detail_of
from epf.service.http.schemas import ErrorDetail
from epf.service.http.sse import event_frame
from epf.service.solve.schemas import REQUEST_ID, ProblemText, SolveResponse

DEFAULT_CONCURRENCY = 4
MAX_CUSTOM_ID_CHARS = 256


class BatchProblem(SearchOptions):
    """One problem, with the options in which it differs from the rest of the batch."""

    problem: ProblemText
    custom_id: str | None = Field(
        None, max_length=MAX_CUSTOM_ID_CHARS, description="A name of your own, which is returned with the result."
    )


def _as_object(value: Any) -> Any:
    return {"problem": value} if isinstance(value, str) else known_first(value, BatchProblem)


BatchItem = Annotated[BatchProblem, BeforeValidator(_as_object, json_schema_input_type=ProblemText | BatchProblem)]


class BatchRequest(SearchOptions):
    """Problems and the options of their searches, which a problem may override."""

    problems: Annotated[list[BatchItem], FailFast(), at_most("max_batch")] = Field(
        min_length=1, description="Problems, each a text or an object with options of its own."
    )
    concurrency: int = Field(
        DEFAULT_CONCURRENCY, ge=1, description="Maximum number of problems that are searched at the same time."
    )
    return_particles: bool = Field(False, description="Include every particle in the response: its steps, scores and lineage.")


class BatchStartedEvent(BaseModel):
    """The batch is running or queued."""

    type: Literal["started"]
    id: str = Field(description=REQUEST_ID)
    n_problems: int


class SolvedEvent(BaseModel):
    """The search for one problem ended."""

    type: Literal["solved"]
    index: int = Field(description="Index of the problem, from 0.")
    custom_id: str | None
    result: SolveResponse


class FailedEvent(BaseModel):
    """The search for one problem failed; the others continue."""

    type: Literal["failed"]
    index: int = Field(description="Index of the problem, from 0.")
    custom_id: str | None
    error: ErrorDetail


class DoneEvent(BaseModel):
    """All problems are done; this is the last event. The numbers of tokens and calls are sums over the solved problems."""

    type: Literal["done"]
    n_solved: int
    n_failed: int
    generated_tokens: int
    discarded_tokens: int
    prm_tokens: int
    prm_calls: int
    total_s: float = Field(description="Wall-clock time since the first search started, in seconds.")


class BatchErrorEvent(BaseModel):
    """The whole batch ended, for example because it was cancelled; this is the last event."""

    type: Literal["error"]
    error: ErrorDetail


ProblemEvent = SolvedEvent | FailedEvent
AnyBatchEvent = BatchStartedEvent | ProblemEvent | DoneEvent | BatchErrorEvent


class BatchEvent(RootModel[Annotated[AnyBatchEvent, Field(discriminator="type")]]):
    """Data of one server-sent event of ``POST /solve/batch``; its ``type`` is also the name of the event."""


def error_frame(error: Exception) -> str:
    """The last event of a stream that fails after its first event."""
    return frame(BatchErrorEvent(type="error", error=detail_of(error)))


def frame(event: AnyBatchEvent) -> str:
    """One server-sent event."""
    return event_frame(event.type, event.model_dump_json(exclude_unset=True))
