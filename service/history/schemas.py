"""Requests and responses of ``/searches``."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from epf.search.options import MethodName
from epf.service.history.recording import State
from epf.service.solve.events import SolveEvent

MAX_PAGE = 100
EXCERPT_CHARS = 300
"""Length of the part of a problem that a list shows."""


def _time(value: Any) -> datetime:
    """A text as a time. Pydantic by itself would also take a number, for seconds or for milliseconds by its size."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    if time is None or time.tzinfo is None:
        raise PydanticCustomError("time", "it must be a time in ISO 8601 with a time zone, such as 2026-01-31T12:00:00Z")
    return time


Time = Annotated[AwareDatetime, BeforeValidator(_time)]


def _without_null(text: str) -> str:
    """A text that SQLite compares as a whole: it reads one up to the first null character, and would find every search."""
    if "\0" in text:
        raise PydanticCustomError("text", "it must not contain a null character")
    return text


class SearchFilter(BaseModel):
    """Which searches of the caller to return; by default all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[str, StringConstraints(max_length=200), AfterValidator(_without_null)] | None = Field(
        None, description="Text that the problem or the answer contains. The case of the letters a to z does not matter."
    )
    method: MethodName | None = Field(None, description="Method of the search.")
    state: State | None = Field(None, description="How the search ended.")
    request_id: Annotated[str, StringConstraints(max_length=128)] | None = Field(
        None, description="Id of the request that asked for the search, as in x-request-id."
    )
    since: Time | None = Field(None, description="Start of the search at this time or later, in ISO 8601 with a time zone.")
    until: Time | None = Field(None, description="Start of the search before this time, in ISO 8601 with a time zone.")


class SearchListQuery(SearchFilter):
    """A page of such searches."""

    limit: int = Field(20, ge=1, le=MAX_PAGE, description="Maximum number of searches.")
    after: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="Begin after the search with this id."
    )


class SearchSummary(BaseModel):
    """One kept search."""

    id: str
    request_id: str = Field(description="Id of the request that asked for it, which may have asked for several.")
    started_at: AwareDatetime
    state: State = Field(description="How it ended: with an answer, with an error, or stopped by its caller or the server.")
    method: str
    n_particles: int
    seed: int
    problem: str = Field(description=f"The first {EXCERPT_CHARS} characters of the problem.")
    answer: str | None
    confidence: float | None = Field(description="Probability that the answer is right; null for a search without a result.")
    generated_tokens: int | None
    seconds: float | None = Field(description="Duration of the search; null for a search without a result.")


class SearchList(BaseModel):
    """Kept searches of the caller, newest first."""

    searches: list[SearchSummary]
    has_more: bool = Field(description="Whether older ones follow: ask again with `after`, the last id of this page.")


class StoredSearch(BaseModel):
    """One kept search with all its events. `epf view` shows it, and the entropy tools read it."""

    id: str
    request_id: str
    started_at: AwareDatetime
    state: State
    request: dict[str, Any] = Field(description="Body of POST /solve that repeats the search.")
    events: list[SolveEvent] = Field(description="Events as in a stream of POST /solve, the result with its particles.")


class DeletedSearch(BaseModel):
    """A search that is not kept any more."""

    id: str
    deleted: Literal[True]
