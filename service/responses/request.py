"""Body of ``POST /v1/responses``. Fields that are not declared here are checked by :mod:`epf.service.responses.unsupported`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from epf.search.options import SearchOptions, Temperature, TopP
from epf.service.chat.request import MAX_TOP_LOGPROBS, ChatSearch, Lenient, StreamOptions
from epf.service.effort import Effort
from epf.service.responses.items import InputMessage, Item, ItemReference, Reference, parsed_input

Summary = Literal["auto", "concise", "detailed"]

Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    Field(max_length=16),
]


class ReasoningOptions(Lenient):
    """How much to search, and whether to report the search."""

    effort: Effort | None = Field(
        None,
        description="Number of particles in a word: EPF_EFFORT sets them. It must not contradict the model name or search.",
    )
    summary: Summary | None = Field(None, description="Report the progress of the search as a reasoning summary.")
    generate_summary: Summary | None = Field(None, description="Old name of summary.")


class TextFormat(Lenient):
    """Format of the answer: text."""

    type: str = Field(description="Only text is supported.")


class TextOptions(Lenient):
    """How the answer is written."""

    format: TextFormat | None = None


class ResponsesRequest(Lenient):
    """A conversation to continue.

    Other fields are refused with 400 and ``param`` if they would change the answer. The rest have no effect and are listed in
    the response header ``x-epf-ignored``.
    """

    model: str = Field(
        min_length=1,
        description="A search method such as epf or epf-16 (with 16 particles), or the generator's name for one plain sample.",
        examples=["epf-8"],
    )
    input: Annotated[
        list[Item | Reference],
        BeforeValidator(parsed_input, json_schema_input_type=str | list[InputMessage | ItemReference]),
    ] = Field(description="The question, or the messages of a conversation, which the generator continues.")
    instructions: str | None = Field(None, description="System message in front of the conversation.")
    previous_response_id: str | None = Field(
        None, description="Continue the conversation of this stored response, without its instructions."
    )
    max_output_tokens: int | None = Field(
        None, ge=1, description="Maximum number of tokens of the answer, that is, of one particle."
    )
    temperature: Temperature | None = Field(None, description=SearchOptions.model_fields["temperature"].description)
    top_p: TopP | None = Field(None, description=SearchOptions.model_fields["top_p"].description)
    reasoning: ReasoningOptions | None = Field(None, description="How much to search, and whether to report the search.")
    text: TextOptions | None = Field(None, description="Format of the answer; only text is supported.")
    include: list[str] | None = Field(
        None,
        max_length=16,
        description="message.output_text.logprobs adds the log probabilities of the answer's tokens, at temperature 1.",
    )
    top_logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Number of most likely tokens to list with each token of the answer. Requires "
        "message.output_text.logprobs in include.",
    )
    truncation: Literal["auto", "disabled"] = Field(
        "disabled",
        description="auto drops the oldest messages of a conversation that is too long; disabled refuses it.",
    )
    metadata: Metadata | None = Field(None, description="Up to 16 texts by name, which the response repeats.")
    user: str | None = Field(None, description="Repeated in the response.")
    store: bool = Field(True, description="Keep the response for later requests, within the bounds of the server's settings.")
    background: bool = Field(
        False, description="Respond at once with the status queued; the search goes on without a connection. Requires store."
    )
    stream: bool = Field(False, description="Respond with server-sent events.")
    stream_options: StreamOptions | None = Field(None, description="Options of the stream, only with stream.")
    search: ChatSearch | None = Field(None, description="Search options, which override the model name.")

    @property
    def logprobs(self) -> bool:
        """Whether log probabilities of the answer's tokens are asked for."""
        return LOGPROBS in (self.include or ())

    @property
    def summary(self) -> Summary | None:
        """How to report the search, None for no report."""
        reasoning = self.reasoning or ReasoningOptions()
        asked: Summary | None = reasoning.summary or reasoning.generate_summary
        return asked or ("auto" if self.search is not None and self.search.progress else None)


LOGPROBS = "message.output_text.logprobs"
