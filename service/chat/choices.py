"""The searches of one request of the OpenAI API, one per choice, whichever route it came by."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial

from epf.core.errors import SearchServiceError
from epf.core.generator import Generator
from epf.core.merge import merge
from epf.core.version import VERSION
from epf.search.events import Answered, Event
from epf.search.result import SearchResult
from epf.search.runner import SearchRequest
from epf.service.chat.resolve import Sources
from epf.service.chat.response import CompletionUsage
from epf.service.chat.tokens import Token, covering, n_answer_tokens
from epf.service.searches.lease import Lease, Searches
from epf.service.searches.models import Models


@dataclass(frozen=True, slots=True)
class Choices:
    """Searches that passed all checks.

    Attributes:
        sources: where their options come from, for errors.
        requests: one search per choice, all of the first prompt before those of the next.
        n_prompts: number of prompts; only completions may have several.
    """

    sources: Sources
    requests: tuple[SearchRequest, ...]
    generator: Generator
    n_prompts: int = 1

    @property
    def n_particles(self) -> int:
        """Number of particles over all choices."""
        return sum(request.options.n_particles for request in self.requests)

    @property
    def max_seconds(self) -> float | None:
        """Deadline in seconds from the request's arrival."""
        return self.requests[0].options.max_seconds

    def lease(self, searches: Searches, caller: str, id: str, *, recorded: bool = True) -> AbstractAsyncContextManager[Lease]:
        """Capacity for all searches of a caller's request with this id; its deadline counts from when it is entered.

        ``recorded`` is false for a caller who wants nothing to be kept.
        """
        n_particles, max_seconds = self.n_particles, self.max_seconds
        return searches.lease(caller=caller, id=id, n_particles=n_particles, max_seconds=max_seconds, recorded=recorded)

    def tokens(self, result: SearchResult) -> tuple[Token, ...]:
        """The tokens that cover an answer."""
        return covering(result.particles[result.shown], result.solution, self.generator.token_bytes)

    def usage(self, results: Sequence[SearchResult]) -> CompletionUsage:
        """Usage of all choices, whose ``results`` are in their order."""
        answer_tokens = [
            n_answer_tokens(result.particles[result.shown], result.solution, request.options.stop, self.generator.token_bytes)
            for request, result in zip(self.requests, results, strict=True)
        ]
        return CompletionUsage.of(results, answer_tokens, len(results) // self.n_prompts)

    async def results(
        self, leasing: AbstractAsyncContextManager[Lease], observe: Callable[[int, Event], None] = lambda choice, event: None
    ) -> list[SearchResult]:
        """Run all searches and return their results; ``observe`` gets each event with the index of its choice."""
        results: dict[int, SearchResult] = {}
        async with leasing as lease, aclosing(self.events(lease)) as events:
            async for choice, event in events:
                observe(choice, event)
                if isinstance(event, Answered):
                    results[choice] = event.result
        return [results[choice] for choice in range(len(self.requests))]

    async def events(self, lease: Lease) -> AsyncGenerator[tuple[int, Event], None]:
        """Events of all searches, each with the index of its choice. An error names the field of the request."""

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


def fingerprint(models: Models) -> str:
    """Version of this server and names of its models."""
    return "/".join((f"epf-{VERSION}", *models.names))
