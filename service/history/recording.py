"""Follows a search from its first event to its end, and makes the document that is kept of it."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from epf.search.events import Answered, Event, Resampled, Scored, Started, StepTaken, TextSampled
from epf.search.result import SearchResult
from epf.search.runner import SearchRequest
from epf.service.http.errors import public_detail
from epf.service.solve.events import ErrorEvent, to_schema

State = Literal["answered", "failed", "stopped"]
"""How a search ended: with a result, with an error, or because its caller or the server ended it."""

KeptEvent = Started | StepTaken | Scored | Resampled | Answered
"""Events of a stream of ``POST /solve``."""


@dataclass(frozen=True, slots=True)
class EndedSearch:
    """A search that has ended.

    Attributes:
        caller: name of the API key's owner.
        request_id: id of the request that asked for it, which may have asked for several.
        events: its events, of which the first is ``Started``.
        error: the event of its failure; None for a search that did not fail.
        id: id of the search.
    """

    caller: str
    request_id: str
    request: SearchRequest
    started_at: datetime
    events: Sequence[KeptEvent]
    error: ErrorEvent | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def state(self) -> State:
        """How it ended."""
        if self.error is not None:
            return "failed"
        return "stopped" if self.result is None else "answered"

    @property
    def started(self) -> Started:
        """Its first event."""
        first = self.events[0]
        assert isinstance(first, Started)
        return first

    @property
    def result(self) -> SearchResult | None:
        """Its result; None for a search that failed or was stopped."""
        last = self.events[-1]
        return last.result if isinstance(last, Answered) else None


@contextmanager
def recording(
    request: SearchRequest, caller: str, request_id: str, *, keep: Callable[[EndedSearch], None]
) -> Iterator[Callable[[Event], None]]:
    """Follow one search. The block passes its events to the callable; ``keep`` gets the search once it has ended.

    A search with a result is kept before the block sends the result, so that whoever has read the result finds the search.
    One that has not begun, because it was refused, is not kept.
    """
    started_at = datetime.now(UTC)
    events: list[KeptEvent] = []

    def end(error: ErrorEvent | None = None) -> None:
        if events and not isinstance(events[-1], Answered):
            keep(EndedSearch(caller, request_id, request, started_at, tuple(events), error))

    def record(event: Event) -> None:
        if isinstance(event, Answered):
            keep(EndedSearch(caller, request_id, request, started_at, (*events, event)))
        if not isinstance(event, TextSampled):  # every step follows as a whole
            events.append(event)

    try:
        yield record
    except (asyncio.CancelledError, GeneratorExit):
        end()
        raise
    except Exception as error:
        end(ErrorEvent(type="error", error=public_detail(error)))
        raise


def document_of(search: EndedSearch, *, private_prompt: str | None) -> bytes:
    """The search as JSON: what the page saves and ``epf view`` reads, with its id, its time and how it ended.

    ``private_prompt`` is the operator's own system prompt, which is left out of the request.
    """
    about = {
        "id": search.id,
        "request_id": search.request_id,
        "started_at": search.started_at.isoformat(),
        "state": search.state,
        "request": _request(search, private_prompt),
    }
    schemas = [to_schema(event, id=search.request_id, particles=True) for event in search.events]
    events = [*schemas, *([] if search.error is None else [search.error])]
    written = ",".join(event.model_dump_json(exclude_unset=True) for event in events)
    return f'{json.dumps(about)[:-1]}, "events": [{written}]}}'.encode()


def _request(search: EndedSearch, private_prompt: str | None) -> dict[str, Any]:
    """The body of ``POST /solve`` that repeats the search."""
    options = search.request.options
    private = {"system_prompt"} if options.system_prompt == private_prompt else set()
    chosen = options.model_dump(mode="json", include=set(options.chosen()), exclude=private)
    return {"problem": search.request.problem, **chosen, "method": search.started.method, "seed": search.started.seed}
