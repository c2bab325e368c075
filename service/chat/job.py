"""One chat request, checked and ready to run."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from epf.core.errors import SearchServiceError
from epf.core.generator import Generator
from epf.core.merge import merge
from epf.core.version import VERSION
from epf.search.events import Event
from epf.search.request import SearchRequest
from epf.search.result import SearchResult
from epf.service.chat.conversation import check_context, prompt_of
from epf.service.chat.options import Sources, orders_of, sources_of
from epf.service.chat.request import ChatRequest, ChatSearch
from epf.service.chat.tokens import Token, covering, n_answer_tokens
from epf.service.chat.unsupported import check_supported
from epf.service.searches.lease import Place
from epf.service.searches.models import Models
from epf.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for, and the searches that it comes to.

    Attributes:
        orders: one search per choice.
        fingerprint: version of this server and its two models.
        id, created: of the response and all its chunks.
    """

    body: ChatRequest
    sources: Sources
    orders: tuple[SearchRequest, ...]
    generator: Generator
    fingerprint: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def n_particles(self) -> int:
        """Of all choices together."""
        return sum(order.options.n_particles for order in self.orders)

    @property
    def max_seconds(self) -> float | None:
        """From the request's arrival."""
        return self.orders[0].options.max_seconds

    @property
    def search(self) -> ChatSearch:
        """The request's search object, an empty one if there is none."""
        return self.body.search or ChatSearch()

    def tokens(self, result: SearchResult) -> tuple[Token, ...]:
        """Tokens that cover an answer."""
        return covering(result.particles[result.shown], result.solution, self.generator.token_bytes)

    def answer_tokens(self, results: Sequence[SearchResult]) -> list[int]:
        """Number of tokens of each choice's answer."""
        return [
            n_answer_tokens(result.particles[result.shown], result.solution, order.options.stop, self.generator.token_bytes)
            for order, result in zip(self.orders, results, strict=True)
        ]

    async def events(self, place: Place) -> AsyncGenerator[tuple[int, Event], None]:
        """Events of all searches, each with its choice; an error names the field as the request does."""

        async def search(choice: int, order: SearchRequest, emit: Callable[[tuple[int, Event]], None]) -> None:
            async with aclosing(place.stream(order)) as events:
                async for event in events:
                    emit((choice, event))

        try:
            async with aclosing(merge(partial(search, choice, order) for choice, order in enumerate(self.orders))) as events:
                async for event in events:
                    yield event
        except SearchServiceError as error:
            self.sources.tell(error)
            raise


def job_of(body: ChatRequest, settings: Settings, models: Models) -> Job:
    """Everything that can be refused before a token is generated is refused here.

    Raises:
        InvalidRequest: a field is not supported, out of range or in contradiction to another, or the request too large.
        ModelNotFound: no such model.
        ContextTooLong: the conversation fills the generator's context.
    """
    check_supported(body)
    sources = sources_of(body, settings, models.generator.name)
    prompt = prompt_of(body.messages, settings)
    orders = orders_of(prompt, sources, settings)
    check_context(prompt, models.generator)
    fingerprint = f"epf-{VERSION}/{models.generator.name}/{models.reward_model.name}"
    return Job(body, sources, orders, models.generator, fingerprint)
