"""Steps after one prefix that are requested at the same time, as one request.

After resampling, many particles hold the same tokens. A server that takes token ids, such as vLLM, draws ``n`` continuations of
a prompt in one request and gives the i-th of them the request's seed plus i. Calls with the same prefix and sampling and with
consecutive seeds therefore become one request, and each still gets exactly the step that it would have got alone. What they
have in common is sent and read once. At temperature 0 the seed does not matter, so calls with the same prefix share one step;
servers refuse to sample several of them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Protocol

from epf.core.generator import Sampling, Step

MAX_STEPS = 16
"""Maximum number of steps in one request: more than that are spread over the engines of a server."""


class SampleSteps(Protocol):
    """Samples ``n`` steps after a prefix, with the seeds ``seed``, ``seed + 1``, ..."""

    def __call__(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, on_step: Callable[[int, Step], None]
    ) -> Awaitable[None]:
        """Return when all steps have ended.

        ``on_step`` gets each of them as soon as it ends, and possibly once more if the request had to be repeated.
        """


@dataclass(eq=False, slots=True)
class _Call:
    prefix_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    step: asyncio.Future[Step]
    context: Context
    request: "_Request | None" = None


@dataclass(eq=False, slots=True)
class _Request:
    calls: list[_Call]
    task: asyncio.Task[None] = field(init=False)

    @property
    def wanted(self) -> bool:
        return not all(call.step.done() for call in self.calls)


class RequestCoalescer:
    """Collects the calls of one iteration of the event loop and sends them with ``sample``.

    ``max_steps`` returns the maximum number of steps in one request.
    """

    def __init__(self, sample: SampleSteps, max_steps: Callable[[], int] = lambda: MAX_STEPS) -> None:
        self._sample = sample
        self._max_steps = max_steps
        self._waiting: list[_Call] = []

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Return the step with this seed.

        Cancelling the last call of a request ends the request; an error of the request is raised in all its open calls.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send)
        call = _Call(prefix_ids, sampling, seed, loop.create_future(), copy_context())
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
        for calls in _coalesced((call for call in waiting if not call.step.done()), self._max_steps()):
            request = _Request(calls)
            for call in calls:
                call.request = request
            # The first caller's trace and session: a request that several searches share belongs to one of them.
            request.task = asyncio.get_running_loop().create_task(self._run(calls), context=calls[0].context)

    async def _run(self, calls: list[_Call]) -> None:
        first = calls[0]
        greedy = first.sampling.temperature == 0

        def on_step(i: int, step: Step) -> None:
            for call in calls if greedy else (calls[i],):
                if not call.step.done():
                    call.step.set_result(step)

        try:
            await self._sample(first.prefix_ids, first.sampling, first.seed, 1 if greedy else len(calls), on_step)
        except Exception as error:
            for call in calls:
                if not call.step.done():
                    call.step.set_exception(error)


def _coalesced(calls: Iterable[_Call], max_steps: int) -> list[list[_Call]]:
    """Group calls that one request can serve, in the order of their seeds."""
    alike: defaultdict[tuple[tuple[int, ...], Sampling], list[_Call]] = defaultdict(list)
    for call in calls:
        alike[call.prefix_ids, call.sampling].append(call)
    requests: list[list[_Call]] = []
    for group in alike.values():
        group.sort(key=lambda call: call.seed)
        if group[0].sampling.temperature == 0:
            requests.append(group)
            continue
        for i, call in enumerate(group):
            if i and call.seed == group[i - 1].seed + 1 and len(requests[-1]) < max_steps:
                requests[-1].append(call)
            else:
                requests.append([call])
    return requests
