"""A completion as a stream of chunks, each like a whole response; the last event is ``[DONE]``."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing

from epf.search.events import Answered, Event
from epf.search.result import SearchResult
from epf.service.chat.deltas import Content, Deltas
from epf.service.chat.response import CompletionUsage, SearchOut, finish_reason
from epf.service.chat.stream import DONE
from epf.service.completions.response import TextChoice, TextCompletion, TextLogprobs
from epf.service.completions.run import Completion
from epf.service.searches.lease import Lease


async def frames(completion: Completion, leasing: AbstractAsyncContextManager[Lease]) -> AsyncGenerator[str, None]:
    """Server-sent events of a completion. Nothing is sent before the search has begun, so a refusal is an ordinary error."""
    choices = completion.choices
    results: dict[int, SearchResult] = {}
    streams = [_ChoiceChunks(completion, index) for index in range(len(choices.requests))]
    async with leasing as lease, aclosing(choices.events(lease)) as events:
        async for index, event in events:
            for frame in streams[index].chunks(event):
                yield frame
            if isinstance(event, Answered):
                results[index] = event.result
    options = completion.body.stream_options
    if options is not None and options.include_usage:
        yield _frame(completion, [], choices.usage([results[index] for index in range(len(streams))]))
    yield DONE


class _ChoiceChunks:
    """Chunks of one choice."""

    def __init__(self, completion: Completion, index: int) -> None:
        self._completion = completion
        self._index = index
        self._logprobs = completion.body.logprobs is not None
        self._deltas = Deltas(completion.choices, index, progress=False, logprobs=self._logprobs)
        self._echo = completion.echo(index)
        self._n_sent = 0

    def chunks(self, event: Event) -> Iterator[str]:
        """The chunks for ``event``."""
        if self._echo:
            yield self._chunk(self._echo)
            self._echo = ""
        for delta in self._deltas.of(event):
            if isinstance(delta, Content):
                logprobs = TextLogprobs.of(delta.tokens, self._n_sent) if self._logprobs else None
                self._n_sent += len(delta.text)
                yield self._chunk(delta.text, logprobs)
            elif isinstance(delta, SearchResult):
                search = SearchOut.of(delta, particles=self._completion.search.shows_particles)
                reason = finish_reason(delta)
                end = TextChoice(index=self._index, text="", logprobs=None, finish_reason=reason, search=search)
                yield _frame(self._completion, [end])

    def _chunk(self, text: str, logprobs: TextLogprobs | None = None) -> str:
        return _frame(self._completion, [TextChoice(index=self._index, text=text, logprobs=logprobs, finish_reason=None)])


def _frame(completion: Completion, choices: list[TextChoice], usage: CompletionUsage | None = None) -> str:
    options = completion.body.stream_options
    chunk = TextCompletion(
        id=completion.id,
        object="text_completion",
        created=completion.created,
        model=completion.body.model,
        system_fingerprint=completion.fingerprint,
        choices=choices,
        **({"usage": usage} if options is not None and options.include_usage else {}),
    )
    return f"data: {chunk.model_dump_json(exclude_unset=True)}\n\n"
