"""Searches on behalf of callers: each has its place, waits for its turn, keeps its deadline and can be cancelled by its id."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace

from epf.core.errors import Cancelled, ContextTooLong, DeadlineExceeded, Overloaded
from epf.core.reward_model import Score
from epf.search.engine.checked_calls import judged
from epf.search.events import Answered, Event
from epf.search.request import SearchRequest
from epf.search.result import SearchResult
from epf.search.runner import search, stream
from epf.service.operations.instrumentation import ObservedRewardModel
from epf.service.operations.lifecycle import Lifecycle, not_now
from epf.service.operations.metrics import SearchMetrics
from epf.service.searches.admission import Admission, Ticket
from epf.service.searches.models import Models


class Place:
    """Room for the searches of one request, held until the request ends or the server's own time is up."""

    def __init__(
        self, models: Models, ticket: Ticket, deadline_s: float | None, lifecycle: Lifecycle, metrics: SearchMetrics
    ) -> None:
        self._models = models
        self._ticket = ticket
        self._deadline_s = deadline_s
        self._closing = lifecycle.deadline
        self._metrics = metrics

    async def turn(self) -> None:
        """Wait until the searches may run; once granted, at once.

        Raises:
            DeadlineExceeded: time was up in the queue.
            Overloaded: the server stops.
        """
        with self._unless_the_server_stops():
            try:
                async with asyncio.timeout_at(self._deadline_s), self._closing.limit():
                    await self._ticket.granted()
            except TimeoutError:
                message = "max_seconds was over in the queue: allow more time"
                raise DeadlineExceeded(message, param="max_seconds") from None

    async def solve(self, request: SearchRequest) -> SearchResult:
        """Search, once it is this request's turn.

        Raises what :func:`search.asolve` raises, and what :meth:`turn` does. When the server stops, the answer is the best so
        far, and ``Overloaded`` is raised if there is none.
        """
        await self.turn()
        with self._unless_the_server_stops(), self._metrics.search(request.method.name) as see:
            result = await search(
                self._in_time(request),
                generator=self._models.generator,
                reward_model=self._models.reward_model,
                checker=self._models.checker,
                until=self._closing,
                emit=see,
            )
            self._check_answered(result)
            return result

    async def stream(self, request: SearchRequest) -> AsyncGenerator[Event, None]:
        """Events of the search; otherwise as :meth:`solve`. Closing it cancels the search."""
        await self.turn()
        events = stream(
            self._in_time(request),
            generator=self._models.generator,
            reward_model=self._models.reward_model,
            checker=self._models.checker,
            until=self._closing,
        )
        with self._unless_the_server_stops(), self._metrics.search(request.method.name) as see:
            async with aclosing(events):
                async for event in events:
                    see(event)
                    if isinstance(event, Answered):
                        self._check_answered(event.result)
                    yield event

    async def score(self, problem: str, steps: Sequence[str]) -> list[Score]:
        """What the reward model says after each step, one after the other, as one particle would ask. Waits for the turn.

        Raises:
            ContextTooLong: the steps do not fit into the reward model's context; ``param`` names the first that does not.
            RewardModelError: the reward model failed or answered nonsense.
            DeadlineExceeded: time was up.
            Overloaded: the server stops.
        """
        await self.turn()
        scores: list[Score] = []
        with self._unless_the_server_stops():
            try:
                async with asyncio.timeout_at(self._deadline_s), self._closing.limit():
                    for k in range(1, len(steps) + 1):
                        scores.append(await judged(self._models.reward_model, problem, steps[:k]))
            except TimeoutError:
                message = f"time was over after {len(scores)} of {len(steps)} steps: send fewer"
                raise DeadlineExceeded(message, param="steps") from None
            except ContextTooLong as error:
                message = f"up to this step, {error.message}: shorten the steps or the problem"
                raise ContextTooLong(message, param=f"steps.{len(scores)}") from None
        return scores

    def _in_time(self, request: SearchRequest) -> SearchRequest:
        """The deadline counts from the request's arrival, the time in the queue included."""
        return request if self._deadline_s is None else replace(request, deadline_s=self._deadline_s)

    def _check_answered(self, result: SearchResult) -> None:
        """A search that the server cut off has an answer, or should be tried on another one."""
        if result.answer is None and result.stop_reason == "deadline" and self._closing.over:
            raise _stopped()

    @contextmanager
    def _unless_the_server_stops(self) -> Iterator[None]:
        """Time that is up because the server stops is not the caller's, and another server has more."""
        try:
            yield
        except DeadlineExceeded:
            if self._closing.over:
                raise _stopped() from None
            raise


def _stopped() -> Overloaded:
    return not_now("DRAINING", "the server stopped before there was an answer")


class Searches:
    """All searches of a process."""

    def __init__(
        self, models: Models, admission: Admission, lifecycle: Lifecycle, metrics: SearchMetrics | None = None
    ) -> None:
        self._metrics = metrics or SearchMetrics()
        self._models = replace(models, reward_model=ObservedRewardModel(models.reward_model, self._metrics))
        self._admission = admission
        self._lifecycle = lifecycle
        self._running: defaultdict[tuple[str, str], set[asyncio.Task[object]]] = defaultdict(set)
        self._cancelled: set[asyncio.Task[object]] = set()

    @asynccontextmanager
    async def place(self, *, caller: str, id: str, n_particles: int, max_seconds: float | None) -> AsyncIterator[Place]:
        """Room for ``n_particles`` at the same time, taken at once and without waiting, given back at the end.

        The block must be left by the task that entered it. ``max_seconds`` counts from now, queueing included.

        Raises:
            RateLimited, Overloaded: there is no room, not even in the queue.
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
                yield Place(self._models, ticket, deadline_s, self._lifecycle, self._metrics)
            except (asyncio.CancelledError, GeneratorExit):
                if task in self._cancelled and task.uncancel() == 0:
                    self._metrics.cancelled("delete")
                    raise Cancelled("The search was cancelled on request.") from None
                self._metrics.cancelled("client_gone")
                raise
            finally:
                ticket.leave()
                self._cancelled.discard(task)
                self._running[caller, id].discard(task)
                if not self._running[caller, id]:
                    del self._running[caller, id]

    @property
    def n_under_way(self) -> int:
        """Requests that have a place, running or waiting for their turn."""
        return sum(len(tasks) for tasks in self._running.values())

    def cancel(self, caller: str, id: str) -> int:
        """Cancel what ``caller`` has under way with this id; how many requests that were."""
        tasks = self._running.get((caller, id), set()) - self._cancelled
        for task in tasks:
            self._cancelled.add(task)
            task.cancel()
        return len(tasks)
