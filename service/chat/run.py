"""One chat request: its checks, its searches, and its response in one piece."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import partial

from epf.core.errors import SearchServiceError
from epf.core.generator import Generator
from epf.core.merge import merge
from epf.core.version import VERSION
from epf.search.events import Answered, Event
from epf.search.result import SearchResult
from epf.search.runner import SearchRequest
from epf.service.chat.progress import Progress
from epf.service.chat.request import ChatRequest, ChatSearch
from epf.service.chat.resolve import Sources, check_context, prompt_of, requests_of, sources_of
from epf.service.chat.response import AnswerMessage, ChatCompletion, Choice, CompletionUsage, Logprobs, SearchOut, finish_reason
from epf.service.chat.tokens import Token, covering, n_answer_tokens
from epf.service.chat.unsupported import check_supported
from epf.service.searches.lease import Lease
from epf.service.searches.models import Models
from epf.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat request that passed all checks, with its searches.

    Attributes:
        requests: one search per choice.
        fingerprint: version of this server and names of its two models.
        id, created: id and creation time of the response and all its chunks.
    """

    body: ChatRequest
    sources: Sources
    requests: tuple[SearchRequest, ...]
    generator: Generator
    fingerprint: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def n_particles(self) -> int:
        """Number of particles over all choices."""
        return sum(request.options.n_particles for request in self.requests)

    @property
    def max_seconds(self) -> float | None:
        """Deadline in seconds from the request's arrival."""
        return self.requests[0].options.max_seconds

    @property
    def search(self) -> ChatSearch:
        """The request's search object, empty without one."""
        return self.body.search or ChatSearch()

    def tokens(self, result: SearchResult) -> tuple[Token, ...]:
        """The tokens that cover an answer."""
        return covering(result.particles[result.shown], result.solution, self.generator.token_bytes)

    def answer_tokens(self, results: Sequence[SearchResult]) -> list[int]:
        """Number of tokens in the answer of each choice."""
        return [
            n_answer_tokens(result.particles[result.shown], result.solution, request.options.stop, self.generator.token_bytes)
            for request, result in zip(self.requests, results, strict=True)
        ]

    async def events(self, lease: Lease) -> AsyncGenerator[tuple[int, Event], None]:
        """Events of all searches, each with the index of its choice. An error names the field of the chat request."""

        async def search(choice: int, request: SearchRequest, emit: Callable[[tuple[int, Event]], None]) -> None:
            async with aclosing(lease.stream(request)) as events:
                async for event in events:
                    emit((choice, event))

        try:
            searches = (partial(search, choice, request) for choice, request in enumerate(self.requests))
            async with aclosing(merge(searches)) as events:
                async for event in events:
                    yield event
        except SearchServiceError as error:
            self.sources.rename_param(error)
            raise


def chat_of(body: ChatRequest, settings: Settings, models: Models) -> Chat:
    """Check everything that can be refused before a token is generated.

    Raises:
        InvalidRequest: a field is not supported, out of range or contradicts another one, or the request is too large.
        ModelNotFound: there is no such model.
        ContextTooLong: the conversation fills the generator's context.
    """
    check_supported(body)
    sources = sources_of(body, settings, models.generator.name)
    prompt = prompt_of(body.messages, settings)
    requests = requests_of(prompt, sources, settings)
    check_context(prompt, models.generator)
    fingerprint = f"epf-{VERSION}/{models.generator.name}/{models.reward_model.name}"
    return Chat(body, sources, requests, models.generator, fingerprint)


async def complete(chat: Chat, leasing: AbstractAsyncContextManager[Lease]) -> ChatCompletion:
    """Run the searches of all choices and build the response. Raises what :func:`epf.asolve` raises."""
    results: dict[int, SearchResult] = {}
    progress = [Progress() for _ in chat.requests] if chat.search.progress else None
    lines: list[list[str]] = [[] for _ in chat.requests]
    async with leasing as lease, aclosing(chat.events(lease)) as events:
        async for index, event in events:
            if isinstance(event, Answered):
                results[index] = event.result
            elif progress is not None:
                lines[index].extend(filter(None, [progress[index].line(event)]))
    ordered = [results[index] for index in range(len(chat.requests))]
    return ChatCompletion(
        id=chat.id,
        object="chat.completion",
        created=chat.created,
        model=chat.body.model,
        system_fingerprint=chat.fingerprint,
        choices=[_choice(chat, index, result, "".join(lines[index])) for index, result in enumerate(ordered)],
        usage=CompletionUsage.of(ordered, chat.answer_tokens(ordered)),
    )


def _choice(chat: Chat, index: int, result: SearchResult, progress: str) -> Choice:
    reasoning = {"reasoning_content": progress} if chat.search.progress else {}
    return Choice(
        index=index,
        message=AnswerMessage(role="assistant", content=result.solution, refusal=None, **reasoning),
        finish_reason=finish_reason(result),
        logprobs=Logprobs.of(chat.tokens(result)) if chat.body.logprobs else None,
        search=SearchOut.of(result, particles=chat.search.return_particles),
    )
