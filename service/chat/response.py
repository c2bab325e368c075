"""Responses of ``POST /v1/chat/completions``, complete or in chunks. Dump them with ``exclude_unset=True``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, Field

from epf.core.errors import InvalidRequest
from epf.core.generator import TopToken
from epf.search.result import AnswerShare, SearchResult, SearchWarning, StepRecord, StopReason
from epf.search.result import Usage as SearchUsage
from epf.service.chat.tokens import MIN_LOG_PROB, Token
from epf.service.solve.schemas import ParticleOut

FinishReason = Literal["stop", "length"]
"""``stop``: the model or a text of ``stop`` ended the answer; ``length``: a limit of tokens, steps or time did."""


@dataclass(frozen=True, slots=True)
class TopTokenLogprob:
    """One of the most likely tokens at a position."""

    token: str
    logprob: float
    bytes: list[int] | None

    @classmethod
    def of(cls, token: TopToken) -> Self:
        """The token by its text and its bytes."""
        data, log_prob = token
        return cls(data.decode(errors="replace"), max(MIN_LOG_PROB, log_prob), list(data))


class TokenLogprob(BaseModel):
    """A token of the answer and its log probability at temperature 1, in nats; -9999 stands for any lower value."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[TopTokenLogprob] = Field(
        description="The most likely tokens at this position, most likely first; empty unless they were asked for."
    )


class Logprobs(BaseModel):
    """Log probabilities of the answer's tokens. The bytes of the tokens concatenate to the content."""

    content: list[TokenLogprob] | None
    refusal: None

    @classmethod
    def of(cls, tokens: Iterable[Token], field: str = "logprobs") -> Self:
        """Log probabilities of ``tokens``. Raises ``InvalidRequest`` for ``field`` if the engine provides none."""
        content: list[TokenLogprob] = []
        for token in tokens:
            if token.log_prob is None:
                message = f"`{field}`: the generator of this server provides no log probabilities. Leave it out."
                raise InvalidRequest(message, param=field)
            text = token.data.decode(errors="replace")
            top = [TopTokenLogprob.of(one) for one in token.top]
            content.append(TokenLogprob(token=text, logprob=token.log_prob, bytes=list(token.data), top_logprobs=top))
        return cls(content=content, refusal=None)


class CompletionTokensDetails(BaseModel):
    """Details of the sampled tokens."""

    reasoning_tokens: int = Field(
        description="Sampled tokens that are not in the answers: those of other particles and of the look-ahead."
    )


class CompletionUsage(BaseModel):
    """Tokens that the request used, counted as in the OpenAI API; ``search.usage`` of each choice has the details."""

    prompt_tokens: int = Field(description="Tokens of the prompt, counted once for any number of choices.")
    completion_tokens: int = Field(description="All sampled tokens, over all choices and particles.")
    total_tokens: int = Field(description="Sum of prompt_tokens and completion_tokens.")
    completion_tokens_details: CompletionTokensDetails

    @classmethod
    def of(cls, results: Sequence[SearchResult], answer_tokens: Sequence[int], n_per_prompt: int) -> Self:
        """Usage over all choices; ``answer_tokens`` has one number for each, and ``n_per_prompt`` at a time have one prompt."""
        prompt = sum(result.usage.prompt_tokens for result in results[::n_per_prompt])
        sampled = sum(result.usage.generated_tokens for result in results)
        return cls(
            prompt_tokens=prompt,
            completion_tokens=sampled,
            total_tokens=prompt + sampled,
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=sampled - sum(answer_tokens)),
        )


class SearchOut(BaseModel):
    """How the search found the answer of a choice, beyond the OpenAI API. ``particles`` is present only if requested."""

    answer: str | None = Field(description="Null if no finished particle has an answer.")
    confidence: float = Field(description="Probability that the answer is right, in [0, 1]; 0 without an answer.")
    share: float = Field(description="Share of the vote that the answer got, in [0, 1]: its probability in the distribution.")
    distribution: list[AnswerShare] = Field(description="All answers, most probable first.")
    answer_entropy: float = Field(description="Entropy of the distribution, in nats.")
    stop_reason: StopReason = Field(description="finished, or what ended the search early.")
    warnings: list[SearchWarning] = Field(description="Reasons to doubt the result; usually empty.")
    method: str
    seed: int = Field(description="Seed of the search; the same seed gives the same answer with the embedded models.")
    usage: SearchUsage
    steps: list[StepRecord] = Field(description="One record per resampling round.")
    particles: list[ParticleOut] = Field(default=[], description="Only with return_particles or logprobs.")

    @classmethod
    def of(cls, result: SearchResult, *, particles: bool) -> Self:
        """Everything in a result except the text."""
        extra = {"particles": [ParticleOut.of(particle) for particle in result.particles]} if particles else {}
        return cls(
            answer=result.answer,
            confidence=result.confidence,
            share=result.share,
            distribution=list(result.distribution),
            answer_entropy=result.answer_entropy,
            stop_reason=result.stop_reason,
            warnings=list(result.warnings),
            method=result.method,
            seed=result.seed,
            usage=result.usage,
            steps=list(result.steps),
            **extra,
        )


class AnswerMessage(BaseModel):
    """The message of the assistant."""

    role: Literal["assistant"]
    content: str
    refusal: None
    reasoning_content: str = Field(default="", description="Progress of the search, only with search.progress.")


class Choice(BaseModel):
    """An answer."""

    index: int
    message: AnswerMessage
    finish_reason: FinishReason
    logprobs: Logprobs | None
    search: SearchOut


class ChatCompletion(BaseModel):
    """A complete response."""

    id: str
    object: Literal["chat.completion"]
    created: int = Field(description="Creation time, in seconds since 1970.")
    model: str = Field(description="Model name of the request.")
    system_fingerprint: str = Field(description="Version of this server and names of its two models.")
    choices: list[Choice]
    usage: CompletionUsage


class Delta(BaseModel):
    """What a chunk adds to the message of a choice."""

    role: Literal["assistant"] = "assistant"
    content: str = ""
    reasoning_content: str = ""


class ChunkChoice(BaseModel):
    """A chunk of one choice; ``search`` is sent with the finish reason."""

    index: int
    delta: Delta
    finish_reason: FinishReason | None
    logprobs: Logprobs | None
    search: SearchOut | None = None


class ChatCompletionChunk(BaseModel):
    """One event of a stream."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice] = Field(description="One choice, or an empty list in the chunk with the usage.")
    usage: CompletionUsage | None = Field(None, description="Usage, only with include_usage; null in all chunks but the last.")


def finish_reason(result: SearchResult) -> FinishReason:
    """``stop`` if the shown particle finished by itself, whatever ended the search."""
    return "stop" if result.particles[result.shown].finished else "length"
