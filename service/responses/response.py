"""The response object of ``/v1/responses`` and its output items. Dump them with ``exclude_unset=True``."""

from typing import Literal

from pydantic import BaseModel, Field

from epf.core.errors import InvalidRequest, Overloaded, RateLimited
from epf.service.chat.response import CompletionUsage, SearchOut, TokenLogprob
from epf.service.effort import Effort
from epf.service.http.errors import detail_of
from epf.service.responses.request import Summary

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
"""``incomplete``: a limit of tokens, steps or time ended the answer; ``search.stop_reason`` names it."""


class OutputText(BaseModel):
    """The text of the answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[None] = Field(max_length=0, description="Always empty.")
    logprobs: list[TokenLogprob] = Field(
        description="Log probabilities of the answer's tokens, empty unless they were asked for."
    )


class OutputMessage(BaseModel):
    """The answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: Literal["in_progress", "completed", "incomplete"]
    content: list[OutputText]


class SummaryText(BaseModel):
    """A part of the report of the search."""

    type: Literal["summary_text"]
    text: str


class ReasoningItem(BaseModel):
    """The report of the search."""

    id: str
    type: Literal["reasoning"]
    status: Literal["in_progress", "completed", "incomplete"]
    summary: list[SummaryText]


OutputItem = ReasoningItem | OutputMessage


class InputTokensDetails(BaseModel):
    """Details of the prompt's tokens."""

    cached_tokens: int = Field(description="Always 0: what the engine caches is not known here.")
    cache_write_tokens: int = Field(description="Always 0.")


class OutputTokensDetails(BaseModel):
    """Details of the sampled tokens."""

    reasoning_tokens: int = Field(
        description="Sampled tokens that are not in the answer: those of other particles and of the look-ahead."
    )


class ResponseUsage(BaseModel):
    """Tokens that the response used, counted as in the OpenAI API; ``search.usage`` has the details."""

    input_tokens: int = Field(description="Tokens of the conversation.")
    input_tokens_details: InputTokensDetails
    output_tokens: int = Field(description="All sampled tokens, over all particles.")
    output_tokens_details: OutputTokensDetails
    total_tokens: int = Field(description="Sum of input_tokens and output_tokens.")

    @classmethod
    def of(cls, usage: CompletionUsage) -> "ResponseUsage":
        """The usage of a chat completion in the words of this route."""
        return cls(
            input_tokens=usage.prompt_tokens,
            input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
            output_tokens=usage.completion_tokens,
            output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.completion_tokens_details.reasoning_tokens),
            total_tokens=usage.total_tokens,
        )


class ResponseError(BaseModel):
    """Why a response failed. ``code`` is one of the OpenAI API, ``epf_code`` the one that other routes respond with."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str
    type: str
    param: str | None
    epf_code: str

    @classmethod
    def of(cls, error: Exception) -> "ResponseError":
        """The error of a response that failed with ``error``."""
        detail = detail_of(error)
        return cls(
            code=_code(error), message=detail.message, type=detail.type, param=detail.param, epf_code=detail.code or "unknown"
        )


def _code(error: Exception) -> Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]:
    if isinstance(error, RateLimited | Overloaded):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, InvalidRequest) else "server_error"


class IncompleteDetails(BaseModel):
    """Why a response is incomplete. The OpenAI API has one word for all limits; ``search.stop_reason`` names the limit."""

    reason: Literal["max_output_tokens"]


class ReasoningOut(BaseModel):
    """How much was searched, and how the search was reported."""

    effort: Effort | None
    summary: Summary | None


class TextFormatOut(BaseModel):
    """Text."""

    type: Literal["text"]


class TextOut(BaseModel):
    """Format of the answer."""

    format: TextFormatOut


class ResponseOut(BaseModel):
    """A response of ``/v1/responses``."""

    id: str
    object: Literal["response"]
    created_at: int = Field(description="Creation time, in seconds since 1970.")
    completed_at: int | None = Field(description="Time at which it was completed; null unless it was.")
    status: Status
    background: bool
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: None
    metadata: dict[str, str]
    model: str = Field(description="Model name of the request.")
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: ReasoningOut
    service_tier: Literal["default"]
    store: bool
    temperature: float = Field(description="Sampling temperature of the search.")
    text: TextOut
    tool_choice: Literal["none"]
    tools: list[None] = Field(max_length=0, description="Always empty.")
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None = Field(description="Null until the response has ended.")
    user: str | None
    search: SearchOut | None = Field(description="How the search found the answer; null until it has.")


class DeletedResponse(BaseModel):
    """A response that was deleted."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]
