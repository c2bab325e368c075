"""Server-sent events of a response. Their ``type`` is also their name, and ``sequence_number`` counts them from 0."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from epf.service.chat.response import TokenLogprob
from epf.service.http.sse import event_frame
from epf.service.responses.response import OutputItem, OutputText, ResponseOut, SummaryText


class _Event(BaseModel):
    sequence_number: int


class _ItemEvent(_Event):
    item_id: str
    output_index: int


class StateEvent(_Event):
    """The response has a new status. The last event of a stream is completed, incomplete or failed.

    A cancelled response ends with ``response.incomplete`` and the status ``cancelled``.
    """

    type: Literal[
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
    ]
    response: ResponseOut


class OutputItemEvent(_Event):
    """An item of the output begins or ends."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: int
    item: OutputItem


class ContentPartEvent(_ItemEvent):
    """The text of the answer begins or ends."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    content_index: int
    part: OutputText


class TextDelta(_ItemEvent):
    """A piece of the answer."""

    type: Literal["response.output_text.delta"]
    content_index: int
    delta: str
    logprobs: list[TokenLogprob]


class TextDone(_ItemEvent):
    """The whole answer."""

    type: Literal["response.output_text.done"]
    content_index: int
    text: str
    logprobs: list[TokenLogprob]


class SummaryPartEvent(_ItemEvent):
    """The report of the search begins or ends."""

    type: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    summary_index: int
    part: SummaryText


class SummaryDelta(_ItemEvent):
    """A line of the report."""

    type: Literal["response.reasoning_summary_text.delta"]
    summary_index: int
    delta: str


class SummaryDone(_ItemEvent):
    """The whole report."""

    type: Literal["response.reasoning_summary_text.done"]
    summary_index: int
    text: str


ResponseEvent = (
    StateEvent | OutputItemEvent | ContentPartEvent | TextDelta | TextDone | SummaryPartEvent | SummaryDelta | SummaryDone
)


class ResponseStreamEvent(RootModel[Annotated[ResponseEvent, Field(discriminator="type")]]):
    """Data of one server-sent event of ``/v1/responses``."""


def frame(event: ResponseEvent) -> str:
    """One server-sent event."""
    return event_frame(event.type, event.model_dump_json(exclude_unset=True))
