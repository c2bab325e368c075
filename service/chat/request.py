"""Body of ``POST /v1/chat/completions``, as clients of the OpenAI API send it.

Fields that are not declared here are checked by :mod:`epf.service.chat.unsupported`. As in that API, a null field is absent.
"""

from collections.abc import Container, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, model_validator
from pydantic_core import PydanticCustomError

from epf.core.errors import InvalidRequest
from epf.core.generator import MAX_TOP_LOG_PROBS
from epf.search.options import MAX_SEED, MAX_STOPS, RANDOM_SEED, SearchOptions, Stop, Temperature, TopP
from epf.service.effort import Effort
from epf.service.http.body import at_most

MAX_CHOICES = 128
MAX_TOP_LOGPROBS = MAX_TOP_LOG_PROBS


def _without_nulls(data: Any) -> Any:
    return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


class Lenient(BaseModel):
    """An object of the OpenAI API: unknown fields are kept for a later check, and a null field is absent."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        return _without_nulls(data)


class TextPart(BaseModel):
    """A part of a message's text."""

    type: Literal["text"]
    text: str


def text_of(content: Any, part_types: Container[str] = ("text",)) -> str:
    """The text of a message, whose parts are joined by line breaks. ``part_types`` are the types of text parts."""
    if isinstance(content, list):
        content = "\n".join(_text_of_part(part, index, part_types) for index, part in enumerate(content))
    if not isinstance(content, str):
        raise PydanticCustomError("text_type", "it must be a string or a list of text parts")
    try:
        content.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("text_unicode", "it contains half a character (a lone surrogate): remove it") from None
    return content


def _text_of_part(part: Any, index: int, part_types: Container[str]) -> str:
    if isinstance(part, dict) and part.get("type") in part_types and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    message = "part {index} is not a text part: only text is supported, no images, audio or files, and URLs are never fetched"
    raise PydanticCustomError("unsupported_part", message, {"index": index})


def _chat_text(content: Any) -> str:
    return text_of(content)


def _no_tool(role: Any) -> Any:
    if role in ("tool", "function"):
        raise PydanticCustomError("unsupported_role", "tools are not supported: leave out messages of tools")
    return role


class ChatMessage(Lenient):
    """A message of the conversation. ``developer`` means the same as ``system``."""

    role: Annotated[Literal["system", "developer", "user", "assistant"], BeforeValidator(_no_tool)]
    content: Annotated[str, BeforeValidator(_chat_text, json_schema_input_type=str | list[TextPart])] = Field(
        description="Text, or a list of text parts that are joined by line breaks."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_calls(cls, data: Any) -> Any:
        for name in ("tool_calls", "function_call", "audio"):
            if isinstance(data, dict) and data.get(name):
                raise PydanticCustomError("unsupported_message", "tools and audio are not supported: leave out the message")
        return data


class StreamOptions(Lenient):
    """Options of a stream."""

    include_usage: bool = Field(False, description="Send a final chunk with the usage before [DONE].")
    include_obfuscation: bool = Field(False, description="Accepted but ignored: this server never pads its chunks.")


class ChatSearch(SearchOptions):
    """Search options, which override the server's defaults and the model name. Unlike in other objects, a null is a value."""

    progress: bool = Field(False, description="Report the progress of the search as reasoning_content.")
    return_particles: bool = Field(False, description="Include every particle in the response: its steps, scores and lineage.")

    @property
    def shows_particles(self) -> bool:
        """Whether every particle is part of the response."""
        return self.return_particles or self.logprobs

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        for name in data if isinstance(data, Mapping) else ():
            if name not in cls.model_fields:
                field = f"search.{ascii(name)[1:-1][:64]}"
                raise InvalidRequest(
                    f"`{field}` is not a search option: remove it. The options are {', '.join(cls.model_fields)}.",
                    param=field,
                )
        return data


def listed_stops(stop: Any) -> Any:
    """The stop texts of a request as a list."""
    if isinstance(stop, str):
        return [stop]
    if not isinstance(stop, list) or len(stop) > MAX_STOPS:
        raise PydanticCustomError("stop_type", "it must be a string or a list of at most {most}", {"most": MAX_STOPS})
    return stop


class SampledRequest(Lenient):
    """What all requests for sampled text have in common."""

    model: str = Field(
        min_length=1,
        description="A search method such as epf or epf-16 (with 16 particles), or the generator's name for one plain sample.",
        examples=["epf-8"],
    )
    n: int = Field(
        1,
        ge=1,
        le=MAX_CHOICES,
        description="Number of choices. Each is an independent search; their particles are counted together.",
    )
    stop: Annotated[list[Stop], BeforeValidator(listed_stops, json_schema_input_type=str | list[str])] | None = Field(
        None, description="Up to 4 texts that end the answer; they are not part of it."
    )
    seed: int | None = Field(
        None,
        ge=RANDOM_SEED,
        le=MAX_SEED,
        description="Random seed. Choice 0 uses it, the other choices use seeds derived from it; -1 draws one.",
    )
    temperature: Temperature | None = Field(None, description=SearchOptions.model_fields["temperature"].description)
    top_p: TopP | None = Field(None, description=SearchOptions.model_fields["top_p"].description)
    stream: bool = Field(
        False, description="Respond with server-sent events. Comments keep the connection open while the search runs."
    )
    stream_options: StreamOptions | None = Field(None, description="Options of the stream, only with stream.")
    search: ChatSearch | None = Field(None, description="Search options, which override the model name.")


class ChatRequest(SampledRequest):
    """A conversation to continue.

    Other fields are refused with 400 and ``param`` if they would change the answer. The rest have no effect and are listed in
    the response header ``x-epf-ignored``.
    """

    messages: Annotated[list[ChatMessage], FailFast(), at_most("max_messages")] = Field(
        min_length=1, description="The conversation, which the generator continues. The reward model scores by the user's text."
    )
    max_completion_tokens: int | None = Field(
        None, ge=1, description="Maximum number of tokens of the answer, that is, of one particle."
    )
    max_tokens: int | None = Field(None, ge=1, description="Old name of max_completion_tokens, which takes precedence.")
    logprobs: bool = Field(False, description="Include the log probabilities of the answer's tokens, at temperature 1.")
    top_logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Number of most likely tokens to list with each token of the answer. Requires logprobs.",
    )
    reasoning_effort: Effort | None = Field(
        None,
        description="Number of particles in a word: EPF_EFFORT sets them. It must not contradict the model name or search.",
    )
