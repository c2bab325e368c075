"""The events of a response, from those of its search, in the order that clients of the OpenAI API rely on.

created, queued (in the background), in_progress; then each output item: its beginning, its text in pieces, its end; last
completed, incomplete or failed. The report of a search is an item of its own, in front of the answer.
"""

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from epf.core.errors import Cancelled
from epf.search.events import Event
from epf.search.methods.sample import SAMPLE
from epf.search.result import SearchResult
from epf.service.chat.deltas import Content, Deltas, ProgressLine
from epf.service.chat.response import Logprobs, SearchOut
from epf.service.responses.create import Creation
from epf.service.responses.events import ResponseEvent, StateEvent
from epf.service.responses.output import Answer, ItemStatus, Report
from epf.service.responses.response import (
    IncompleteDetails,
    OutputItem,
    ResponseError,
    ResponseOut,
    ResponseUsage,
)


class ResponseWriter:
    """Writes one response.

    Attributes:
        response: the response as it is now.
    """

    def __init__(self, creation: Creation) -> None:
        self.response: ResponseOut = creation.response
        self._creation = creation
        request = creation.choices.requests[0]
        # A plain sample has no search to report, and its steps are the answer itself.
        reported = creation.body.summary is not None and request.method is not SAMPLE
        self._deltas = Deltas(creation.choices, 0, progress=reported, logprobs=creation.body.logprobs)
        self._numbers = count()
        self._report = Report(self._numbers)
        self._answer: Answer | None = None

    def created(self) -> StateEvent:
        """The first event."""
        return self._state("response.created")

    def queued(self) -> StateEvent:
        """The event of a response in the background, which waits for capacity."""
        return self._state("response.queued", status="queued")

    def in_progress(self) -> StateEvent:
        """The search begins."""
        return self._state("response.in_progress", status="in_progress")

    def of(self, event: Event) -> Iterator[ResponseEvent]:
        """The events for one of the search."""
        for delta in self._deltas.of(event):
            match delta:
                case ProgressLine():
                    yield from self._report.line(delta.text)
                case Content():
                    yield from self._begin_answer()
                    assert self._answer is not None
                    logprobs = Logprobs.of(delta.tokens, "include").content if self._creation.body.logprobs else None
                    yield self._answer.delta(delta.text, logprobs or [])
                case SearchResult():
                    yield from self._end(delta)

    def failed(self, error: Exception) -> StateEvent:
        """The last event of a response that fails; one that was cancelled has the status ``cancelled``."""
        output = self._output("incomplete")
        if isinstance(error, Cancelled):
            return self._state("response.incomplete", status="cancelled", output=output)
        return self._state("response.failed", status="failed", output=output, error=ResponseError.of(error))

    def _begin_answer(self) -> Iterator[ResponseEvent]:
        if self._answer is None:
            yield from self._report.end()
            self._answer = Answer(self._numbers, output_index=1 if self._report else 0)
            yield from self._answer.begin()

    def _end(self, result: SearchResult) -> Iterator[ResponseEvent]:
        yield from self._begin_answer()
        assert self._answer is not None
        finished = result.particles[result.shown].finished
        yield from self._answer.end("completed" if finished else "incomplete")
        search = self._creation.body.search
        ended = {
            "output": self._output("completed" if finished else "incomplete"),
            "usage": ResponseUsage.of(self._creation.choices.usage([result])),
            "search": SearchOut.of(result, particles=search is not None and search.shows_particles),
        }
        if finished:
            yield self._state("response.completed", status="completed", completed_at=int(time.time()), **ended)
        else:
            details = IncompleteDetails(reason="max_output_tokens")
            yield self._state("response.incomplete", status="incomplete", incomplete_details=details, **ended)

    def _output(self, status: ItemStatus) -> list[OutputItem]:
        report: list[OutputItem] = [self._report.item("completed")] if self._report else []
        return [*report, self._answer.item(status)] if self._answer is not None else report

    def _state(self, kind: Any, **changes: Any) -> StateEvent:
        self.response = self.response.model_copy(update=changes)
        return StateEvent(type=kind, sequence_number=next(self._numbers), response=self.response)
