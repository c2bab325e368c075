"""The items of a response's output while they are written: the report of the search and the answer."""

from collections.abc import Iterator
from itertools import count
from typing import Any, Literal

from epf.service.chat.response import TokenLogprob
from epf.service.responses.events import (
    ContentPartEvent,
    OutputItemEvent,
    ResponseEvent,
    SummaryDelta,
    SummaryDone,
    SummaryPartEvent,
    TextDelta,
    TextDone,
)
from epf.service.responses.items import new_id
from epf.service.responses.response import OutputMessage, OutputText, ReasoningItem, SummaryText

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class Report:
    """The report of the search, the first item if there is one; ``numbers`` are those of the events."""

    def __init__(self, numbers: "count[int]") -> None:
        self._numbers = numbers
        self._id = new_id("rs")
        self._lines: list[str] = []

    def __bool__(self) -> bool:
        """Whether anything has been reported."""
        return bool(self._lines)

    def item(self, status: ItemStatus) -> ReasoningItem:
        """The item so far."""
        return ReasoningItem(id=self._id, type="reasoning", status=status, summary=[self._part] if self._lines else [])

    def line(self, text: str) -> Iterator[ResponseEvent]:
        """Events for one more line."""
        if not self._lines:
            item, part = self.item("in_progress"), SummaryText(type="summary_text", text="")
            number = next(self._numbers)
            yield OutputItemEvent(type="response.output_item.added", sequence_number=number, output_index=0, item=item)
            yield SummaryPartEvent(type="response.reasoning_summary_part.added", part=part, **self._place)
        self._lines.append(text)
        yield SummaryDelta(type="response.reasoning_summary_text.delta", delta=text, **self._place)

    def end(self) -> Iterator[ResponseEvent]:
        """Events that end the item; none without a line."""
        if self._lines:
            yield SummaryDone(type="response.reasoning_summary_text.done", text=self._part.text, **self._place)
            yield SummaryPartEvent(type="response.reasoning_summary_part.done", part=self._part, **self._place)
            item, number = self.item("completed"), next(self._numbers)
            yield OutputItemEvent(type="response.output_item.done", sequence_number=number, output_index=0, item=item)

    @property
    def _part(self) -> SummaryText:
        return SummaryText(type="summary_text", text="".join(self._lines))

    @property
    def _place(self) -> dict[str, Any]:
        return {"sequence_number": next(self._numbers), "item_id": self._id, "output_index": 0, "summary_index": 0}


class Answer:
    """The answer, behind the report if there is one; ``numbers`` are those of the events."""

    def __init__(self, numbers: "count[int]", output_index: int) -> None:
        self._numbers = numbers
        self._output_index = output_index
        self._id = new_id("msg")
        self._texts: list[str] = []
        self._logprobs: list[TokenLogprob] = []

    def item(self, status: ItemStatus) -> OutputMessage:
        """The item so far."""
        return OutputMessage(id=self._id, type="message", role="assistant", status=status, content=[self._part])

    def begin(self) -> Iterator[ResponseEvent]:
        """Events that begin the item."""
        item = OutputMessage(id=self._id, type="message", role="assistant", status="in_progress", content=[])
        yield self._item_event("response.output_item.added", item)
        yield ContentPartEvent(type="response.content_part.added", part=self._part, **self._place)

    def delta(self, text: str, logprobs: list[TokenLogprob]) -> ResponseEvent:
        """The event for a piece of the answer."""
        self._texts.append(text)
        self._logprobs.extend(logprobs)
        return TextDelta(type="response.output_text.delta", delta=text, logprobs=logprobs, **self._place)

    def end(self, status: ItemStatus) -> Iterator[ResponseEvent]:
        """Events that end the item."""
        part = self._part
        yield TextDone(type="response.output_text.done", text=part.text, logprobs=part.logprobs, **self._place)
        yield ContentPartEvent(type="response.content_part.done", part=part, **self._place)
        yield self._item_event("response.output_item.done", self.item(status))

    def _item_event(
        self, kind: Literal["response.output_item.added", "response.output_item.done"], item: OutputMessage
    ) -> ResponseEvent:
        return OutputItemEvent(type=kind, sequence_number=next(self._numbers), output_index=self._output_index, item=item)

    @property
    def _part(self) -> OutputText:
        return OutputText(type="output_text", text="".join(self._texts), annotations=[], logprobs=list(self._logprobs))

    @property
    def _place(self) -> dict[str, Any]:
        place = {"item_id": self._id, "output_index": self._output_index, "content_index": 0}
        return {"sequence_number": next(self._numbers), **place}
