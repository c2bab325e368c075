"""A generator and a reward model that a function controls, and that record their calls."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

from epf.core.generator import Finish, Message, Sampling, Step
from epf.core.reward_model import Score
from epf.search import METHODS, Answered, Event, SearchResult

PROMPT = (1, 1, 1)
SEARCHES = sorted(set(METHODS) - {"sample"})
"""Methods that write step by step, with any number of particles."""
AT_ONCE: dict[str, dict[str, Any]] = {"particle_gibbs": {"iterations": 1}, "adaptive": {"certainty": 1.0}}
"""Options with which methods that search in several turns start all their particles at once."""
SEPARATOR, EOS = 0, 2

T = TypeVar("T")


def step(text: str, finish: Finish = "separator") -> Step:
    """A step with one token per character, plus one for a separator or an end; all are equally probable."""
    ends: dict[Finish, tuple[int, ...]] = {"separator": (SEPARATOR,), "eos": (EOS,), "length": ()}
    token_ids = tuple(ord(c) for c in text) + ends[finish]
    return Step(token_ids, text, finish, (-0.5,) * len(token_ids))


@dataclass
class Call:
    prefix: str
    depth: int
    sampling: Sampling
    seed: int
    n: int


Writer = Callable[[Call], Step | Awaitable[Step]]
Judge = Callable[[tuple[str, ...]], float | Score | Awaitable[float | Score]]


class Generator:
    """``write(call)`` returns a step or an awaitable, or raises. ``call.prefix`` is the text so far, with separators as \\n."""

    name = "scripted"
    context_length = 100_000

    def __init__(self, write: Writer) -> None:
        self.write = write
        self.calls: list[Call] = []
        self.n_cancelled = 0
        self.in_flight = 0
        self.changed = asyncio.Event()

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        assert [m.role for m in messages] == ["user"]
        return PROMPT

    def token_bytes(self, token_id: int) -> bytes:
        return b"" if token_id in (SEPARATOR, EOS) else chr(token_id).encode()

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        assert prefix_ids[: len(PROMPT)] == PROMPT
        ids = prefix_ids[len(PROMPT) :]
        prefix = "".join("\n" if i == SEPARATOR else chr(i) for i in ids)
        call = Call(prefix, ids.count(SEPARATOR), sampling, seed, len(self.calls))
        self.calls.append(call)
        self.in_flight += 1
        self.changed.set()
        try:
            result = self.write(call)
            return await result if inspect.isawaitable(result) else result
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    async def ready(self) -> None:
        pass

    async def until_in_flight(self, n: int) -> None:
        while self.in_flight < n:
            self.changed.clear()
            await self.changed.wait()

    async def aclose(self) -> None:
        pass


class RewardModel:
    """``judge(steps)`` returns a probability (or any value of a broken model) or an awaitable, or raises."""

    name = "scripted"

    def __init__(self, judge: Judge = lambda steps: 0.5) -> None:
        self.judge = judge
        self.calls: list[tuple[str, ...]] = []
        self.n_cancelled = 0

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        assert steps
        assert all(text.strip() for text in steps)
        self.calls.append(tuple(steps))
        try:
            result = self.judge(tuple(steps))
            result = await result if inspect.isawaitable(result) else result
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        return Score(result, len(steps[-1])) if isinstance(result, float) else result

    async def ready(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Models(TypedDict):
    generator: Generator
    reward_model: RewardModel


def solution(n_steps: int, n_answers: int = 3) -> Callable[[Call], Step]:
    """A writer of ``n_steps`` steps that depend on the seed, the last one with the answer."""

    def write(call: Call) -> Step:
        if call.depth < n_steps - 1:
            return step(f"s{call.depth} {call.seed % 97}")
        return step(f"\\boxed{{{call.seed % n_answers}}}", "eos")

    return write


def hold(_call: Call | None = None) -> Coroutine[Any, Any, Any]:
    """An awaitable that ends only when it is cancelled."""
    return asyncio.Event().wait()


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new event loop. A test that hangs or leaves a task behind fails."""

    async def main() -> T:
        async with asyncio.timeout(20):
            try:
                return await coroutine
            finally:
                await asyncio.sleep(0)
                assert asyncio.all_tasks() == {asyncio.current_task()}, "a task was left behind"

    return asyncio.run(main())


def result_of(events: Sequence[Event]) -> SearchResult:
    """Result in the last event of a search."""
    assert isinstance(events[-1], Answered)
    return events[-1].result


def ways(methods: Iterable[str]) -> list[tuple[str, str]]:
    """Every method with each of its look-aheads."""
    return [(m, ahead) for m in methods for ahead in ("none", "reuse", "redraw") if m == "epf" or ahead == "none"]
