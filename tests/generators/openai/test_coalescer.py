"""Which calls become one request, and what each of them gets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from epf.core.errors import GeneratorError
from epf.core.generator import Sampling, Step
from epf.generators.openai.coalescer import MAX_STEPS, RequestCoalescer

SAMPLING = Sampling()
OTHER = Sampling(max_tokens=3)
A, B = (1, 2), (1, 3)


def step_of(seed: int) -> Step:
    return Step((seed,), str(seed), "eos")


@dataclass
class Server:
    """Samples the step of a seed. It holds back ``slow`` seeds until ``gate`` opens, and then fails if it has an error."""

    slow: frozenset[int] = frozenset()
    error: Exception | None = None
    asked: list[tuple[tuple[int, ...], Sampling, list[int]]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0

    async def __call__(
        self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int, n: int, on_step: Callable[[int, Step], None]
    ) -> None:
        seeds = list(range(seed, seed + n))
        self.asked.append((prefix_ids, sampling, seeds))
        for again in range(2):  # as after a retry, the first steps arrive twice
            for i, each in enumerate(seeds):
                if each not in self.slow:
                    on_step(i, step_of(each + 1000 * again))
        try:
            if self.slow & set(seeds):
                await self.gate.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        if self.error is not None:
            raise self.error
        for i, each in enumerate(seeds):
            if each in self.slow:
                on_step(i, step_of(each))


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


@pytest.mark.parametrize(
    ("calls", "requests"),
    [
        ([(A, SAMPLING, 5)], [(A, SAMPLING, [5])]),
        ([(A, SAMPLING, s) for s in (7, 5, 6)], [(A, SAMPLING, [5, 6, 7])]),
        ([(A, SAMPLING, s) for s in (5, 7, 8)], [(A, SAMPLING, [5]), (A, SAMPLING, [7, 8])]),
        ([(A, SAMPLING, 5), (B, SAMPLING, 6), (A, SAMPLING, 6)], [(A, SAMPLING, [5, 6]), (B, SAMPLING, [6])]),
        ([(A, SAMPLING, 5), (A, OTHER, 6)], [(A, SAMPLING, [5]), (A, OTHER, [6])]),
        ([(A, SAMPLING, 5), (A, SAMPLING, 5)], [(A, SAMPLING, [5]), (A, SAMPLING, [5])]),
        ([(A, SAMPLING, s) for s in range(MAX_STEPS + 1)], [(A, SAMPLING, [*range(MAX_STEPS)]), (A, SAMPLING, [MAX_STEPS])]),
    ],
)
def test_calls_with_consecutive_seeds_become_one_request(
    calls: list[tuple[tuple[int, ...], Sampling, int]], requests: list[tuple[tuple[int, ...], Sampling, list[int]]]
) -> None:
    async def test() -> None:
        server = Server()
        coalescer = RequestCoalescer(server)
        steps = await asyncio.gather(*(coalescer.step(*call) for call in calls))
        assert steps == [step_of(seed) for *_, seed in calls]
        assert server.asked == requests

    run(test)


def test_a_step_does_not_wait_for_a_slow_one_in_its_request() -> None:
    async def test() -> None:
        server = Server(slow=frozenset({1}))
        coalescer = RequestCoalescer(server)
        quick, slow = (asyncio.create_task(coalescer.step(A, SAMPLING, seed)) for seed in (0, 1))
        assert await quick == step_of(0)
        assert not slow.done()
        server.gate.set()
        assert await slow == step_of(1)
        assert len(server.asked) == 1

    run(test)


def test_cancelling_the_last_call_ends_the_request() -> None:
    async def test() -> None:
        server = Server(slow=frozenset({0, 1}))
        coalescer = RequestCoalescer(server)
        calls = [asyncio.create_task(coalescer.step(A, SAMPLING, seed)) for seed in range(3)]
        await calls[2]
        for call, left in ((calls[0], 0), (calls[1], 1)):
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert server.left == left

    run(test)


def test_a_call_that_is_cancelled_at_once_is_not_sent() -> None:
    async def test() -> None:
        server = Server()
        coalescer = RequestCoalescer(server)
        gone, kept = (asyncio.create_task(coalescer.step(A, SAMPLING, seed)) for seed in (0, 1))
        asyncio.get_running_loop().call_soon(gone.cancel)
        assert await kept == step_of(1)
        assert gone.cancelled()
        assert [seeds for *_, seeds in server.asked] == [[1]]

    run(test)


def test_an_error_is_raised_in_all_open_calls() -> None:
    async def test() -> None:
        server = Server(slow=frozenset({0, 1}), error=GeneratorError("broken"))
        coalescer = RequestCoalescer(server)
        calls = [asyncio.create_task(coalescer.step(A, SAMPLING, seed)) for seed in range(3)]
        assert await calls[2] == step_of(2)
        server.gate.set()
        for call in calls[:2]:
            with pytest.raises(GeneratorError, match="broken"):
                await call
        assert await coalescer.step(B, SAMPLING, 5) == step_of(5)

    run(test)
