"""Many problems in one request: what it asks for, its searches, and the events that tell their results as they finish.

The answer is a stream of server-sent events rather than JSON lines: a batch is quiet for minutes, and only the former has
comments that keep a connection open; it reads like the stream of ``POST /solve``.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, RootModel

from epf.core.errors import DeadlineExceeded, InvalidRequest
from epf.core.merge import merge
from epf.search.options import SearchOptions
from epf.search.request import SearchRequest
from epf.search.result import Usage
from epf.service.http.errors import detail_of
from epf.service.http.sse import event_frame
from epf.service.searches.lease import Place
from epf.service.searches.resolve import check_length, resolve
from epf.service.settings import Settings
from epf.service.solve.schemas import ErrorDetail, Problem, SolveResponse

DEFAULT_CONCURRENCY = 4
MAX_CUSTOM_ID_CHARS = 256


class BatchProblem(SearchOptions):
    """One problem, with options where it differs from the rest of the batch."""

    problem: Problem
    custom_id: str | None = Field(
        None, max_length=MAX_CUSTOM_ID_CHARS, description="A name of your own, which comes back with the result."
    )


def _spelled_out(value: Any) -> Any:
    return {"problem": value} if isinstance(value, str) else value


Item = Annotated[BatchProblem, BeforeValidator(_spelled_out, json_schema_input_type=Problem | BatchProblem)]


class BatchRequest(SearchOptions):
    """Problems, and how to search: options hold for all problems that do not choose otherwise."""

    problems: list[Item] = Field(min_length=1, description="Each one a text, or an object with options of its own.")
    concurrency: int = Field(DEFAULT_CONCURRENCY, ge=1, description="Most problems that are searched at the same time.")
    return_particles: bool = Field(False, description="Answer with every particle: its steps, scores and lineage.")


class BatchStartedEvent(BaseModel):
    """The batch has its place, or waits for it."""

    type: Literal["started"]
    id: str = Field(description="Of the request, also in the x-request-id header; DELETE /solve/{id} cancels the batch by it.")
    n_problems: int


class SolvedEvent(BaseModel):
    """The search of one problem ended."""

    type: Literal["solved"]
    index: int = Field(description="Of the problem, from 0.")
    custom_id: str | None
    result: SolveResponse


class FailedEvent(BaseModel):
    """The search of one problem failed; the others go on."""

    type: Literal["failed"]
    index: int = Field(description="Of the problem, from 0.")
    custom_id: str | None
    error: ErrorDetail


class DoneEvent(BaseModel):
    """All problems were told of; the stream ends. Counts of tokens are those of the problems that were solved."""

    type: Literal["done"]
    n_solved: int
    n_failed: int
    generated_tokens: int
    discarded_tokens: int
    prm_tokens: int
    prm_calls: int
    total_s: float = Field(description="Wall-clock seconds from the first search's begin.")


class BatchErrorEvent(BaseModel):
    """The whole batch ended, for example because it was cancelled."""

    type: Literal["error"]
    error: ErrorDetail


Told = SolvedEvent | FailedEvent
AnyBatchEvent = BatchStartedEvent | Told | DoneEvent | BatchErrorEvent


class BatchEvent(RootModel[Annotated[AnyBatchEvent, Field(discriminator="type")]]):
    """Data of one server-sent event of ``POST /solve/batch``; its ``type`` is the event's name too."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that keeps the server's limits.

    Attributes:
        orders: one search per problem.
        concurrency: how many of them run at the same time.
    """

    body: BatchRequest
    orders: tuple[SearchRequest, ...]
    concurrency: int

    @property
    def n_particles(self) -> int:
        """Most particles that can search at the same time."""
        sizes = sorted((order.options.n_particles for order in self.orders), reverse=True)
        return sum(sizes[: self.concurrency])

    @property
    def max_seconds(self) -> float | None:
        """Longest deadline of a search, None without any."""
        return max((order.options.max_seconds for order in self.orders if order.options.max_seconds is not None), default=None)


def batch_of(body: BatchRequest, settings: Settings) -> Batch:
    """The searches that ``body`` asks for; the limits of a request hold for each problem.

    Raises:
        InvalidRequest: too many problems, a problem or an option out of its range; ``param`` names it, as ``problems.3.top_p``.
    """
    if len(body.problems) > settings.max_batch:
        message = f"`problems` may have at most {settings.max_batch} items on this server, got {len(body.problems)}: send fewer"
        raise InvalidRequest(message, param="problems")
    shared = body.chosen()
    orders = tuple(_order(i, problem, shared, settings) for i, problem in enumerate(body.problems))
    batch = Batch(body, orders, min(body.concurrency, len(orders)))
    if batch.n_particles > settings.max_particles:
        message = f"the {batch.concurrency} largest problems may have at most {settings.max_particles} particles together"
        raise InvalidRequest(f"{message}, got {batch.n_particles}: lower concurrency or n_particles", param="concurrency")
    return batch


def _order(i: int, problem: BatchProblem, shared: Mapping[str, Any], settings: Settings) -> SearchRequest:
    where = f"problems.{i}"
    check_length(problem.problem, settings, f"{where}.problem")
    own = problem.chosen()
    try:
        return resolve(problem.problem, {**shared, **own}, settings)
    except InvalidRequest as error:
        if error.param not in own and (error.param in shared or not own):
            raise
        raise InvalidRequest(f"{where}: {error.message}", param=f"{where}.{error.param}") from None


async def frames(batch: Batch, room: AbstractAsyncContextManager[Place], *, id: str) -> AsyncGenerator[str, None]:
    """Server-sent events of a batch; the room is taken before the first one, so that a refusal is an ordinary error."""
    async with room as place:
        yield _frame(BatchStartedEvent(type="started", id=id, n_problems=len(batch.orders)))
        await _turn(place, batch.max_seconds)
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        usages: list[Usage] = []
        async with aclosing(_as_they_finish(batch, place, id)) as events:
            async for event in events:
                if isinstance(event, SolvedEvent):
                    usages.append(event.result.usage)
                yield _frame(event)
        yield _frame(_done(usages, len(batch.orders), loop.time() - begun_s))


def failed(error: Exception) -> str:
    """The last event of a stream that has begun."""
    return _frame(BatchErrorEvent(type="error", error=detail_of(error)))


async def _turn(place: Place, max_seconds: float | None) -> None:
    """Wait for the turn, as long as one search might take: the deadlines themselves count from each search's own begin."""
    try:
        async with asyncio.timeout(max_seconds):
            await place.turn()
    except TimeoutError:
        raise DeadlineExceeded("max_seconds was over in the queue: allow more time", param="max_seconds") from None


def _as_they_finish(batch: Batch, place: Place, id: str) -> AsyncGenerator[Told, None]:
    """Results and failures in the order in which they come; closing it ends all searches."""
    waiting = iter(range(len(batch.orders)))

    async def work(emit: Callable[[Told], None]) -> None:
        for index in waiting:
            emit(await _solved(batch, index, place, id))

    return merge([work] * batch.concurrency)


async def _solved(batch: Batch, index: int, place: Place, id: str) -> Told:
    custom_id = batch.body.problems[index].custom_id
    try:
        result = await place.solve(batch.orders[index])
        response = SolveResponse.of(result, particles=batch.body.return_particles, id=id)
    except Exception as error:
        return FailedEvent(type="failed", index=index, custom_id=custom_id, error=detail_of(error))
    return SolvedEvent(type="solved", index=index, custom_id=custom_id, result=response)


def _done(usages: Sequence[Usage], n_problems: int, total_s: float) -> DoneEvent:
    return DoneEvent(
        type="done",
        n_solved=len(usages),
        n_failed=n_problems - len(usages),
        generated_tokens=sum(usage.generated_tokens for usage in usages),
        discarded_tokens=sum(usage.discarded_tokens for usage in usages),
        prm_tokens=sum(usage.prm_tokens for usage in usages),
        prm_calls=sum(usage.prm_calls for usage in usages),
        total_s=total_s,
    )


def _frame(event: AnyBatchEvent) -> str:
    return event_frame(event.type, event.model_dump_json(exclude_unset=True))
