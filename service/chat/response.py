"""What ``POST /v1/chat/completions`` answers, whole or in chunks. To be dumped with ``exclude_unset=True``."""

from collections.abc import Iterable, Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field

from epf.core.errors import InvalidRequest
from epf.search.result import AnswerShare, SearchResult, StepRecord, StopReason
from epf.search.result import Usage as SearchUsage
from epf.service.chat.tokens import Token
from epf.service.solve.schemas import ParticleOut

FinishReason = Literal["stop", "length"]
"""``stop``: the model ended the answer, or a text of ``stop`` did; ``length``: a limit of tokens, steps or time did."""


class TokenLogprob(BaseModel):
    """One token of the answer and its log probability at temperature 1, in nats; -9999 stands for anything less."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[None] = Field(max_length=0, description="Always empty.")


class Logprobs(BaseModel):
    """Of the shown particle. The bytes of the tokens concatenate to the content."""

    content: list[TokenLogprob] | None
    refusal: None

    @classmethod
    def of(cls, tokens: Iterable[Token]) -> Self:
        """Those of ``tokens``; raises ``InvalidRequest`` where the engine gives none."""
        content: list[TokenLogprob] = []
        for token in tokens:
            if token.log_prob is None:
                raise InvalidRequest("`logprobs` is not supported by this server's generator: leave it out.", param="logprobs")
            text = token.data.decode(errors="replace")
            content.append(TokenLogprob(token=text, logprob=token.log_prob, bytes=list(token.data), top_logprobs=[]))
        return cls(content=content, refusal=None)


class CompletionTokensDetails(BaseModel):
    """Of what was sampled."""

    reasoning_tokens: int = Field(description="Sampled by the search and not in the answers: other particles, look-ahead.")


class CompletionUsage(BaseModel):
    """What the request cost the generator.

    Other than at OpenAI ``completion_tokens`` does not include the reasoning tokens: it counts the returned answers, so that it
    compares with a plain sample's. All that was sampled is the sum of the two; ``search.usage`` of each choice has the rest.
    """

    prompt_tokens: int = Field(description="Of the conversation, once whatever the number of choices.")
    completion_tokens: int = Field(description="Of the returned answers, all choices together.")
    total_tokens: int = Field(description="The sum of the two.")
    completion_tokens_details: CompletionTokensDetails

    @classmethod
    def of(cls, results: Sequence[SearchResult], answer_tokens: Sequence[int]) -> Self:
        """Of all choices together; ``answer_tokens`` of each."""
        prompt, answers = results[0].usage.prompt_tokens, sum(answer_tokens)
        reasoning = sum(result.usage.generated_tokens for result in results) - answers
        return cls(
            prompt_tokens=prompt,
            completion_tokens=answers,
            total_tokens=prompt + answers,
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=reasoning),
        )


class SearchOut(BaseModel):
    """How one choice's answer came about; not in the OpenAI API. ``particles`` is there only when asked for."""

    answer: str | None = Field(description="Null if no finished particle has an answer.")
    confidence: float = Field(description="Share of the weight behind the answer, in [0, 1].")
    distribution: list[AnswerShare] = Field(description="All answers, most probable first.")
    answer_entropy: float = Field(description="Of the distribution, in nats.")
    stop_reason: StopReason = Field(description="finished, or the limit that cut the search short.")
    method: str
    seed: int = Field(description="The same seed gives the same answer on the embedded models.")
    usage: SearchUsage
    steps: list[StepRecord] = Field(description="One record per resampling round.")
    particles: list[ParticleOut] = Field(default=[], description="Only with return_particles.")

    @classmethod
    def of(cls, result: SearchResult, *, particles: bool) -> Self:
        """Everything of a result but the text."""
        extra = {"particles": [ParticleOut.of(particle) for particle in result.particles]} if particles else {}
        return cls(
            answer=result.answer,
            confidence=result.confidence,
            distribution=list(result.distribution),
            answer_entropy=result.answer_entropy,
            stop_reason=result.stop_reason,
            method=result.method,
            seed=result.seed,
            usage=result.usage,
            steps=list(result.steps),
            **extra,
        )


class AnswerMessage(BaseModel):
    """The assistant's turn."""

    role: Literal["assistant"]
    content: str
    refusal: None
    reasoning_content: str = Field(default="", description="Only with search.progress: what happened in the search.")


class Choice(BaseModel):
    """One answer."""

    index: int
    message: AnswerMessage
    finish_reason: FinishReason
    logprobs: Logprobs | None
    search: SearchOut


class ChatCompletion(BaseModel):
    """A whole response."""

    id: str
    object: Literal["chat.completion"]
    created: int = Field(description="Seconds since 1970.")
    model: str = Field(description="As the request named it.")
    system_fingerprint: str = Field(description="Version of this server and its two models.")
    choices: list[Choice]
    usage: CompletionUsage


class Delta(BaseModel):
    """What a chunk adds to a choice's message."""

    role: Literal["assistant"] = "assistant"
    content: str = ""
    reasoning_content: str = ""


class ChunkChoice(BaseModel):
    """A chunk's part of one choice; ``search`` comes with the finish reason."""

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
    choices: list[ChunkChoice] = Field(description="One; none in the chunk with the usage.")
    usage: CompletionUsage | None = Field(None, description="With include_usage: null in all chunks but the last.")


def finish_reason(result: SearchResult) -> FinishReason:
    """``stop`` if the shown particle came to its own end, whatever ended the search."""
    return "stop" if result.particles[result.shown].finished else "length"
