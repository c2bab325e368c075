"""A chat completion as a stream of chunks.

Clients rely on this order: one chunk with the role for every choice, by index; content in pieces, choices in any order; for
each choice an empty delta with the finish reason; on request one chunk with the usage and no choices; ``[DONE]``. An error
after the first chunk is one event ``{"error": ...}``, followed by ``[DONE]``.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing

from epf.search.events import Answered, Event
from epf.search.result import SearchResult
from epf.service.chat.deltas import Content, Deltas, ProgressLine
from epf.service.chat.response import (
    ChatCompletionChunk,
    ChunkChoice,
    CompletionUsage,
    Delta,
    FinishReason,
    Logprobs,
    SearchOut,
    finish_reason,
)
from epf.service.chat.run import Chat
from epf.service.http.errors import detail_of
from epf.service.http.schemas import ErrorBody
from epf.service.searches.lease import Lease

DONE = "data: [DONE]\n\n"


async def frames(chat: Chat, leasing: AbstractAsyncContextManager[Lease]) -> AsyncGenerator[str, None]:
    """Server-sent events of a completion. The lease is taken before the first one, so that a refusal is an ordinary error."""
    results: dict[int, SearchResult] = {}
    choices = [_ChoiceChunks(chat, index) for index in range(len(chat.choices.requests))]
    async with leasing as lease:
        for choice in choices:
            yield choice.role()
        await lease.acquire()
        async with aclosing(chat.choices.events(lease)) as events:
            async for index, event in events:
                for frame in choices[index].chunks(event):
                    yield frame
                if isinstance(event, Answered):
                    results[index] = event.result
    if chat.body.stream_options is not None and chat.body.stream_options.include_usage:
        yield _frame(chat, [], chat.choices.usage([results[index] for index in range(len(choices))]))
    yield DONE


def error_frames(error: Exception) -> str:
    """The last events of a stream that fails after its first event."""
    return f"data: {ErrorBody(error=detail_of(error)).model_dump_json()}\n\n{DONE}"


class _ChoiceChunks:
    """Chunks of one choice."""

    def __init__(self, chat: Chat, index: int) -> None:
        self._chat = chat
        self._index = index
        self._deltas = Deltas(chat.choices, index, progress=chat.search.progress, logprobs=chat.body.logprobs)

    def role(self) -> str:
        """The first chunk, with the role."""
        return self._chunk(Delta(role="assistant", content=""))

    def chunks(self, event: Event) -> Iterator[str]:
        """The chunks for ``event``."""
        for delta in self._deltas.of(event):
            match delta:
                case ProgressLine():
                    yield self._chunk(Delta(reasoning_content=delta.text))
                case Content():
                    logprobs = Logprobs.of(delta.tokens) if self._chat.body.logprobs else None
                    yield self._chunk(Delta(content=delta.text), logprobs=logprobs)
                case SearchResult():
                    search = SearchOut.of(delta, particles=self._chat.search.shows_particles)
                    yield self._chunk(Delta(), finish=finish_reason(delta), search=search)

    def _chunk(
        self,
        delta: Delta,
        *,
        finish: FinishReason | None = None,
        logprobs: Logprobs | None = None,
        search: SearchOut | None = None,
    ) -> str:
        extension = {} if search is None else {"search": search}
        choice = ChunkChoice(index=self._index, delta=delta, finish_reason=finish, logprobs=logprobs, **extension)
        return _frame(self._chat, [choice])


def _frame(chat: Chat, choices: list[ChunkChoice], usage: CompletionUsage | None = None) -> str:
    with_usage = chat.body.stream_options is not None and chat.body.stream_options.include_usage
    chunk = ChatCompletionChunk(
        id=chat.id,
        object="chat.completion.chunk",
        created=chat.created,
        model=chat.body.model,
        system_fingerprint=chat.fingerprint,
        choices=choices,
        **({"usage": usage} if with_usage else {}),
    )
    return f"data: {chunk.model_dump_json(exclude_unset=True)}\n\n"
