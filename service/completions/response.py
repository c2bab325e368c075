"""Responses of ``POST /v1/completions``, complete or in chunks. Dump them with ``exclude_unset=True``."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field

from epf.service.chat.response import CompletionUsage, FinishReason, Logprobs, SearchOut
from epf.service.chat.tokens import MIN_LOG_PROB, Token


class TextLogprobs(BaseModel):
    """Log probabilities of the sampled tokens."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None = Field(
        description="The most likely tokens at each position by their texts, or by their bytes for a part of a character; null "
        "if logprobs is 0."
    )
    text_offset: list[int] = Field(description="Number of characters of the text before each token.")

    @classmethod
    def of(cls, tokens: Sequence[Token], n_before: int = 0) -> Self:
        """Log probabilities of ``tokens``, which follow ``n_before`` characters of the text.

        Raises ``InvalidRequest`` if the engine provides none.
        """
        content = Logprobs.of(tokens).content or []
        offsets = []
        for token in tokens:
            offsets.append(n_before)
            n_before += len(token.text)
        return cls(
            tokens=[token.token for token in content],
            token_logprobs=[token.logprob for token in content],
            top_logprobs=[{_named(data): max(MIN_LOG_PROB, value) for data, value in token.top} for token in tokens]
            if any(token.top for token in tokens)
            else None,
            text_offset=offsets,
        )


def _named(data: bytes) -> str:
    """Name of a token as in the OpenAI API."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


class TextChoice(BaseModel):
    """A continuation, or a piece of one; ``search`` is sent with the finish reason."""

    index: int = Field(description="Choices of the first prompt come first.")
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason | None
    search: SearchOut | None = None


class TextCompletion(BaseModel):
    """A complete response, or one event of a stream."""

    id: str
    object: Literal["text_completion"]
    created: int = Field(description="Creation time, in seconds since 1970.")
    model: str = Field(description="Model name of the request.")
    system_fingerprint: str = Field(description="Version of this server and names of its models.")
    choices: list[TextChoice]
    usage: CompletionUsage | None = Field(None, description="In a stream only with include_usage, in the last event.")
