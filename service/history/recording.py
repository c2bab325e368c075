"""Follows a search from its first event to its end, and makes the document that is kept of it."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

from epf.search.events import Answered, Event, Resampled, Scored, Started, StepTaken, TextSampled
from epf.search.result import SearchResult
from epf.search.runner import SearchRequest
from epf.service.http.errors import public_detail
from epf.service.solve.events import ErrorEvent, to_schema

WRITING_S: Final = 1.0
"""Maximum time that a result waits for its search to be written: a slow disk delays no answer for longer."""

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


class Recorder:
    """The events of one search; ``keep`` gets the search once it has ended, and returns what is set when it is written."""

    def __init__(
        self, request: SearchRequest, caller: str, request_id: str, keep: Callable[[EndedSearch], asyncio.Event]
    ) -> None:
        self._ended = partial(EndedSearch, caller, request_id, request, datetime.now(UTC))
        self._keep = keep
        self._events: list[KeptEvent] = []
        self._written: asyncio.Event | None = None

    def observe(self, event: Event) -> None:
        """Record an event."""
        if isinstance(event, Answered):
            self._written = self._keep(self._ended((*self._events, event)))
        if not isinstance(event, TextSampled):  # every step follows as a whole
            self._events.append(event)

    async def kept(self) -> None:
        """Wait until a search with a result is written, at most for :data:`WRITING_S`."""
        if self._written is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITING_S):
                    await self._written.wait()

    def end(self, error: ErrorEvent | None = None) -> None:
        """Keep a search that has begun and has no result."""
        if self._events and not isinstance(self._events[-1], Answered):
            self._keep(self._ended(tuple(self._events), error))


@contextmanager
def recording(
    request: SearchRequest, caller: str, request_id: str, *, keep: Callable[[EndedSearch], asyncio.Event]
) -> Iterator[Recorder]:
    """Follow one search, whose events the block passes to the recorder.

    The block waits for :meth:`Recorder.kept` before it sends a result: whoever has read the result finds the search, even if
    the server is killed then. A search that has not begun, because it was refused, is not kept.
    """
    recorder = Recorder(request, caller, request_id, keep)
    try:
        yield recorder
    except (asyncio.CancelledError, GeneratorExit):
        recorder.end()
        raise
    except Exception as error:
        recorder.end(ErrorEvent(type="error", error=public_detail(error)))
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
