"""The searches of a batch, several at the same time, and their results as they finish."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from epf.core.errors import DeadlineExceeded, InvalidRequest
from epf.core.merge import merge
from epf.core.off_loop import off_loop
from epf.core.turns import in_turn
from epf.search.result import Usage
from epf.search.runner import SearchRequest
from epf.service.batch.schemas import (
    BatchProblem,
    BatchRequest,
    BatchStartedEvent,
    DoneEvent,
    FailedEvent,
    ProblemEvent,
    SolvedEvent,
    frame,
)
from epf.service.http.errors import detail_of
from epf.service.searches.lease import Lease
from epf.service.searches.models import Models
from epf.service.searches.resolve import check_length, resolve
from epf.service.settings import Settings
from epf.service.solve.schemas import SolveResponse, n_log_probs


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch within the server's limits.

    Attributes:
        requests: one search per problem.
        concurrency: maximum number of searches that run at the same time.
    """

    body: BatchRequest
    requests: tuple[SearchRequest, ...]
    concurrency: int

    @property
    def n_particles(self) -> int:
        """Maximum number of particles that can search at the same time."""
        sizes = sorted((request.options.n_particles for request in self.requests), reverse=True)
        return sum(sizes[: self.concurrency])

    @property
    def max_seconds(self) -> float | None:
        """Longest deadline of a search, None without any."""
        deadlines = (request.options.max_seconds for request in self.requests if request.options.max_seconds is not None)
        return max(deadlines, default=None)


async def batch_of(body: BatchRequest, settings: Settings, models: Models) -> Batch:
    """The searches of ``body``, resolved one by one in turns of the event loop. The limits of a request apply to each problem.

    Raises:
        InvalidRequest: no reward model for a method that needs one, or an option out of range; ``param``
            names it, for example ``problems.3.top_p``.
    """
    shared = body.chosen()
    requests = tuple(
        [await in_turn(partial(_resolve, i, problem, shared, settings, models)) for i, problem in enumerate(body.problems)]
    )
    batch = Batch(body, requests, min(body.concurrency, len(requests)))
    if batch.n_particles > settings.max_particles:
        message = f"the {batch.concurrency} largest problems may have at most {settings.max_particles} particles together"
        raise InvalidRequest(f"{message}, got {batch.n_particles}: lower concurrency or n_particles", param="concurrency")
    return batch


def _resolve(i: int, problem: BatchProblem, shared: Mapping[str, Any], settings: Settings, models: Models) -> SearchRequest:
    field = f"problems.{i}"
    check_length(problem.problem, settings, f"{field}.problem")
    own = problem.chosen()
    try:
        request = resolve(
            problem.problem,
            {**shared, **own},
            settings,
            has_reward_model=models.has_reward_model,
            context_length=models.generator.context_length,
        )
        models.check(request.method)
        return request
    except InvalidRequest as error:
        if error.param not in own and (error.param in shared or not own):
            raise
        raise InvalidRequest(f"{field}: {error.message}", param=f"{field}.{error.param}") from None


async def frames(batch: Batch, leasing: AbstractAsyncContextManager[Lease], *, id: str) -> AsyncGenerator[str, None]:
    """Server-sent events of a batch. The lease is taken before the first one, so that a refusal is an ordinary error."""
    async with leasing as lease:
        yield frame(BatchStartedEvent(type="started", id=id, n_problems=len(batch.requests)))
        await _acquire(lease, batch.max_seconds)
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        usages: list[Usage] = []
        async with aclosing(_as_completed(batch, lease, id)) as events:
            async for event in events:
                if isinstance(event, SolvedEvent):
                    usages.append(event.result.usage)
                yield frame(event)
        yield frame(_done(usages, len(batch.requests), loop.time() - started_s))


async def _acquire(lease: Lease, max_seconds: float | None) -> None:
    """Wait in the queue for as long as one search may take; the deadline of each search starts with the search."""
    try:
        async with asyncio.timeout(max_seconds):
            await lease.acquire()
    except TimeoutError:
        message = "max_seconds passed while the request was queued: allow more time"
        raise DeadlineExceeded(message, param="max_seconds") from None


def _as_completed(batch: Batch, lease: Lease, id: str) -> AsyncGenerator[ProblemEvent, None]:
    """Results and failures in the order of completion. Closing the generator cancels all searches."""
    waiting = iter(range(len(batch.requests)))

    async def work(emit: Callable[[ProblemEvent], None]) -> None:
        for index in waiting:
            emit(await _solve(batch, index, lease, id))

    return merge([work] * batch.concurrency)


async def _solve(batch: Batch, index: int, lease: Lease, id: str) -> ProblemEvent:
    custom_id = batch.body.problems[index].custom_id
    try:
        result = await lease.solve(batch.requests[index])
        make = partial(SolveResponse.of, result, particles=batch.body.return_particles, id=id)
        response = await off_loop(n_log_probs(result), make)
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
