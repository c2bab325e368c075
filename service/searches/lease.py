"""Searches on behalf of callers: each request leases capacity, keeps its deadline and can be cancelled by its id."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Protocol

from epf.core.deadlines import working_until
from epf.core.errors import Cancelled, ContextTooLong, DeadlineExceeded, ModelNotFound, Overloaded
from epf.core.reward_model import RewardModel, Score
from epf.search.engine.checked_score import checked_score
from epf.search.events import Answered, Event
from epf.search.result import SearchResult
from epf.search.runner import SearchRequest, search, stream
from epf.service.operations.lifecycle import Lifecycle, unavailable
from epf.service.operations.metrics import InstrumentedRewardModel, SearchMetrics
from epf.service.searches.admission import Admission, Ticket
from epf.service.searches.charging import charging
from epf.service.searches.models import Models


class Follower(Protocol):
    """What follows one search."""

    def observe(self, event: Event) -> None:
        """Take the next event."""

    async def kept(self) -> None:
        """Wait, for a bounded time, until a search that has ended is where it is kept."""


Recording = Callable[[SearchRequest, str, str], AbstractContextManager[Follower]]
"""Follows one search of a caller, in the request with an id."""


class _Nobody:
    def observe(self, event: Event) -> None: ...

    async def kept(self) -> None: ...


def unrecorded(_request: SearchRequest, _caller: str, _id: str) -> AbstractContextManager[Follower]:
    """Follow no search."""
    return nullcontext(_Nobody())


class Lease:
    """Capacity for the searches of one request, held until the request ends or the server shuts down."""

    def __init__(
        self,
        models: Models,
        ticket: Ticket,
        deadline_s: float | None,
        lifecycle: Lifecycle,
        metrics: SearchMetrics,
        charge: Callable[[int], None],
        record: Callable[[SearchRequest], AbstractContextManager[Follower]],
    ) -> None:
        self._models = models
        self._ticket = ticket
        self._deadline_s = deadline_s
        self._closing = lifecycle.deadline
        self._metrics = metrics
        self._charge = charge
        self._record = record

    async def acquire(self) -> None:
        """Wait in the queue until the searches may run; returns immediately once they may.

        Raises:
            DeadlineExceeded: the deadline passed in the queue.
            Overloaded: the server shuts down.
        """
        with self._overloaded_on_shutdown():
            try:
                async with asyncio.timeout_at(self._deadline_s), self._closing.limit():
                    await self._ticket.granted()
            except TimeoutError:
                message = "max_seconds passed while the request was queued: allow more time"
                raise DeadlineExceeded(message, param="max_seconds") from None

    async def solve(self, request: SearchRequest) -> SearchResult:
        """Acquire capacity and search.

        Raises what :func:`epf.asolve` and :meth:`acquire` raise. When the server shuts down, the result is the best answer so
        far; without any answer, raises ``Overloaded``.
        """
        await self.acquire()
        with self._overloaded_on_shutdown(), self._observing(request) as (observe, kept):
            result = await search(
                self._with_deadline(request),
                generator=self._models.generator,
                reward_model=self._models.reward_model,
                checker=self._models.checker,
                confidence=self._models.confidence,
                until=self._closing.limit,
                emit=observe,
            )
            self._check_answered(result)
            await kept()
            return result

    async def stream(self, request: SearchRequest) -> AsyncGenerator[Event, None]:
        """Events of a search; otherwise like :meth:`solve`. Closing the generator cancels the search."""
        await self.acquire()
        events = stream(
            self._with_deadline(request),
            generator=self._models.generator,
            reward_model=self._models.reward_model,
            checker=self._models.checker,
            confidence=self._models.confidence,
            until=self._closing.limit,
        )
        with self._overloaded_on_shutdown(), self._observing(request) as (observe, kept):
            async with aclosing(events):
                async for event in events:
                    observe(event)
                    if isinstance(event, Answered):
                        self._check_answered(event.result)
                        await kept()
                    yield event

    async def score(self, problem: str, steps: Sequence[str]) -> list[Score]:
        """Acquire capacity and score after each step, one call at a time, like a single particle.

        Raises:
            ModelNotFound: there is no reward model.
            ContextTooLong: the steps exceed the reward model's context; ``param`` names the first that does.
            RewardModelError: the reward model failed or returned an invalid score.
            DeadlineExceeded: the deadline passed.
            Overloaded: the server shuts down.
        """
        reward_model = scoring(self._models)
        await self.acquire()
        scores: list[Score] = []
        with self._overloaded_on_shutdown(), working_until(self._deadline_s) as deadline:
            try:
                async with asyncio.timeout_at(self._deadline_s), self._closing.limit():
                    for k in range(1, len(steps) + 1):
                        scores.append(await checked_score(reward_model, problem, steps[:k]))
                        self._charge(scores[-1].n_tokens)
            except TimeoutError:
                waited_for = "" if deadline is None else deadline.waited_for
                message = f"The deadline passed after {len(scores)} of {len(steps)} steps. {waited_for or 'Send fewer.'}"
                raise DeadlineExceeded(message, param="steps") from None
            except ContextTooLong as error:
                message = f"Up to this step: {error.message} Shorten the steps or the problem."
                raise ContextTooLong(message, param=f"steps.{len(scores)}") from None
        return scores

    @contextmanager
    def _observing(self, request: SearchRequest) -> Iterator[tuple[Callable[[Event], None], Callable[[], Awaitable[None]]]]:
        """Count one search in the metrics, charge its caller, and record it: where events go, and a wait until it is kept."""
        with (
            self._metrics.search(request.method.name) as count,
            charging(count, self._charge) as charge,
            self._record(request) as record,
        ):

            def observe(event: Event) -> None:
                charge(event)
                record.observe(event)

            yield observe, record.kept

    def _with_deadline(self, request: SearchRequest) -> SearchRequest:
        """The deadline counts from the request's arrival and includes the time in the queue."""
        return request if self._deadline_s is None else replace(request, deadline_s=self._deadline_s)

    def _check_answered(self, result: SearchResult) -> None:
        """A search that the shutdown cut off without an answer should be retried on another server."""
        if result.answer is None and result.stop_reason == "deadline" and self._closing.over:
            raise _shut_down()

    @contextmanager
    def _overloaded_on_shutdown(self) -> Iterator[None]:
        """Raise ``Overloaded`` for a deadline that only the shutdown imposed: another server can still do the work."""
        try:
            yield
        except DeadlineExceeded:
            if self._closing.over:
                raise _shut_down() from None
            raise


def scoring(models: Models) -> RewardModel:
    """The reward model. Raises ``ModelNotFound`` if it is missing."""
    if models.reward_model is None:
        message = "This server has no reward model, so it cannot score: start it with --reward-model (see docs/models.md)."
        raise ModelNotFound(message)
    return models.reward_model


def _shut_down() -> Overloaded:
    return unavailable("DRAINING", "the server shut down before there was an answer")


class Searches:
    """All searches of a process.

    ``charge`` is called with the name of a caller and a number of tokens that it has used; ``record`` follows each search.

    Attributes:
        models: the models that they share.
    """

    def __init__(
        self,
        models: Models,
        admission: Admission,
        lifecycle: Lifecycle,
        metrics: SearchMetrics | None = None,
        charge: Callable[[str, int], None] = lambda _caller, _n_tokens: None,
        record: Recording = unrecorded,
    ) -> None:
        self._metrics = metrics or SearchMetrics()
        scored_by = models.reward_model
        self.models = replace(
            models, reward_model=None if scored_by is None else InstrumentedRewardModel(scored_by, self._metrics)
        )
        self._admission = admission
        self._charge = charge
        self._record = record
        self._lifecycle = lifecycle
        self._running: defaultdict[tuple[str, str], set[asyncio.Task[object]]] = defaultdict(set)
        self._cancelled: set[asyncio.Task[object]] = set()

    @asynccontextmanager
    async def lease(
        self, *, caller: str, id: str, n_particles: int, max_seconds: float | None, recorded: bool = True
    ) -> AsyncIterator[Lease]:
        """Capacity for ``n_particles`` at a time, or a place in the queue, taken without waiting and released at the end.

        The block must be left by the task that entered it. ``max_seconds`` counts from now and includes time in the queue.
        ``recorded`` is false for a caller who wants nothing to be kept.

        Raises:
            RateLimited, Overloaded: there is no capacity, not even in the queue.
            Cancelled: :meth:`cancel` was called meanwhile.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        with self._lifecycle.work():
            ticket = self._admission.enter(caller, n_particles)
            self._running[caller, id].add(task)
            deadline_s = None if max_seconds is None else loop.time() + max_seconds
            try:
                charge = partial(self._charge, caller)

                def record(request: SearchRequest) -> AbstractContextManager[Follower]:
                    return (self._record if recorded else unrecorded)(request, caller, id)

                yield Lease(self.models, ticket, deadline_s, self._lifecycle, self._metrics, charge, record)
            except (asyncio.CancelledError, GeneratorExit):
                if task in self._cancelled and task.uncancel() == 0:
                    self._metrics.cancelled("delete")
                    raise Cancelled("The request was cancelled by its caller.") from None
                self._metrics.cancelled("client_gone")
                raise
            finally:
                ticket.release()
                self._cancelled.discard(task)
                self._running[caller, id].discard(task)
                if not self._running[caller, id]:
                    del self._running[caller, id]

    @property
    def n_in_progress(self) -> int:
        """Number of requests that hold a lease, running or queued."""
        return sum(len(tasks) for tasks in self._running.values())

    def cancel(self, caller: str, id: str) -> int:
        """Cancel the requests of ``caller`` with this id, and return their number."""
        tasks = self._running.get((caller, id), set()) - self._cancelled
        for task in tasks:
            self._cancelled.add(task)
            task.cancel()
        return len(tasks)
