"""Steps after one prefix that are asked for at the same time, as one request.

After resampling many particles hold the same tokens. A server of tokens, such as vLLM, draws ``n`` continuations of a prompt in
one request and gives the i-th of them the request's seed plus i. So calls with one prefix, one sampling and seeds in a row
become one request, and each still gets the very step that it would have got alone: nothing is sent and read n times but what
differs.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from epf.core.generator import Sampling, Step

MOST = 16
"""Steps of one request: more than that spread over a server's engines."""


class Ask(Protocol):
    """Draws steps after a prefix, with seeds ``seed``, ``seed + 1``, ...; ``told`` hears of each as soon as it ends."""

    def __call__(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, told: Callable[[int, Step], None]
    ) -> Awaitable[None]:
        """Return when all have ended; ``told`` may hear of a step again where a server had to be asked again."""


@dataclass(eq=False, slots=True)
class _Call:
    prefix_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    step: asyncio.Future[Step]
    request: "_Request | None" = None


@dataclass(eq=False, slots=True)
class _Request:
    calls: list[_Call]
    task: asyncio.Task[None] = field(init=False)

    @property
    def wanted(self) -> bool:
        return not all(call.step.done() for call in self.calls)


class Twins:
    """Collects the calls of one turn of the event loop. ``ask`` sends a request."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: list[_Call] = []

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """The step with this seed. Cancelling the last call of a request ends the request; what it raises, all of them do."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send)
        call = _Call(prefix_ids, sampling, seed, loop.create_future())
        self._waiting.append(call)
        try:
            return await call.step
        except asyncio.CancelledError:
            call.step.cancel()
            if call.request is not None and not call.request.wanted:
                call.request.task.cancel()
                await asyncio.wait([call.request.task])
            raise

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for calls in _in_a_row(call for call in waiting if not call.step.done()):
            request = _Request(calls)
            for call in calls:
                call.request = request
            request.task = asyncio.get_running_loop().create_task(self._draw(calls))

    async def _draw(self, calls: list[_Call]) -> None:
        def told(i: int, step: Step) -> None:
            if not calls[i].step.done():
                calls[i].step.set_result(step)

        first = calls[0]
        try:
            await self._ask(first.prefix_ids, first.sampling, first.seed, len(calls), told)
        except Exception as error:
            for call in calls:
                if not call.step.done():
                    call.step.set_exception(error)


def _in_a_row(calls: Iterable[_Call]) -> list[list[_Call]]:
    """Calls that one request can serve, in the order of their seeds."""
    alike: defaultdict[tuple[tuple[int, ...], Sampling], list[_Call]] = defaultdict(list)
    for call in calls:
        alike[call.prefix_ids, call.sampling].append(call)
    requests: list[list[_Call]] = []
    for group in alike.values():
        group.sort(key=lambda call: call.seed)
        for i, call in enumerate(group):
            if i and call.seed == group[i - 1].seed + 1 and len(requests[-1]) < MOST:
                requests[-1].append(call)
            else:
                requests.append([call])
    return requests
