"""A chat answered as a stream of chunks.

The order that clients count on: one chunk with the role for every choice, by index; content in pieces, choices in any order;
for each choice an empty delta with the finish reason; on request one chunk with the usage and no choices; ``[DONE]``. An error
after the first chunk is one event ``{"error": ...}``, then ``[DONE]``.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing

from epf.search.events import Answered, Event, StepTaken
from epf.search.methods.sample import SAMPLE
from epf.search.result import SearchResult
from epf.service.chat.job import Job
from epf.service.chat.progress import Progress
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
from epf.service.chat.tokens import Token, pieces
from epf.service.http.errors import detail_of
from epf.service.searches.lease import Place
from epf.service.solve.schemas import ErrorBody

DONE = "data: [DONE]\n\n"


async def frames(job: Job, room: AbstractAsyncContextManager[Place]) -> AsyncGenerator[str, None]:
    """Server-sent events of an answer; the room is taken before the first one, so that a refusal is an ordinary error."""
    results: dict[int, SearchResult] = {}
    choices = [_ChoiceChunks(job, index) for index in range(len(job.orders))]
    async with room as place:
        for choice in choices:
            yield choice.begun()
        await place.turn()
        async with aclosing(job.events(place)) as events:
            async for index, event in events:
                for frame in choices[index].told(event):
                    yield frame
                if isinstance(event, Answered):
                    results[index] = event.result
    if job.body.stream_options is not None and job.body.stream_options.include_usage:
        ordered = [results[index] for index in range(len(job.orders))]
        yield _frame(job, [], CompletionUsage.of(ordered, job.answer_tokens(ordered)))
    yield DONE


def failed(error: Exception) -> str:
    """The last events of a stream that has begun."""
    return f"data: {ErrorBody(error=detail_of(error)).model_dump_json()}\n\n{DONE}"


class _ChoiceChunks:
    """Chunks of one choice.

    The answer of a search is known at its end. A plain sample is sent as it is drawn, a step at a time, unless what is sent
    depends on how it ends: with stop texts or log probabilities.
    """

    def __init__(self, job: Job, index: int) -> None:
        self._job = job
        self._index = index
        self._progress = Progress()
        order = job.orders[index]
        self._as_drawn = order.method is SAMPLE and not order.options.stop and not job.body.logprobs
        self._n_sent = 0

    def begun(self) -> str:
        """The role."""
        return self._chunk(Delta(role="assistant", content=""))

    def told(self, event: Event) -> Iterator[str]:
        """What the client is to know of ``event``."""
        if isinstance(event, Answered):
            yield from self._answer(event.result)
            return
        if self._job.search.progress and (line := self._progress.line(event)):
            yield self._chunk(Delta(reasoning_content=line))
        if self._as_drawn and isinstance(event, StepTaken) and event.text:
            self._n_sent += len(event.text)
            yield self._chunk(Delta(content=event.text))

    def _answer(self, result: SearchResult) -> Iterator[str]:
        if self._as_drawn:
            rest = result.solution[self._n_sent :]
            parts: list[tuple[str, Sequence[Token]]] = [(rest, ())] if rest else []
        else:
            parts = pieces(result.solution, self._job.tokens(result))
        for text, tokens in parts:
            yield self._chunk(Delta(content=text), logprobs=Logprobs.of(tokens) if self._job.body.logprobs else None)
        search = SearchOut.of(result, particles=self._job.search.return_particles)
        yield self._chunk(Delta(), finish=finish_reason(result), search=search)

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
        return _frame(self._job, [choice])


def _frame(job: Job, choices: list[ChunkChoice], usage: CompletionUsage | None = None) -> str:
    asked = job.body.stream_options is not None and job.body.stream_options.include_usage
    chunk = ChatCompletionChunk(
        id=job.id,
        object="chat.completion.chunk",
        created=job.created,
        model=job.body.model,
        system_fingerprint=job.fingerprint,
        choices=choices,
        **({"usage": usage} if asked else {}),
    )
    return f"data: {chunk.model_dump_json(exclude_unset=True)}\n\n"
