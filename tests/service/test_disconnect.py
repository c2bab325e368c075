"""A disconnect cancels the search of its client and no other: over a real socket, in every phase, for every response type."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

import httpx
import pytest

from epf.core.generator import Sampling, Step
from epf.core.reward_model import Score
from epf.service.app import create_app
from epf.service.searches.lease import Searches
from epf.service.state import ServiceState
from tests.fakes import N_STEPS, ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import posted, searches_of, served, until

GUARD_S = 60
N = 4
HANGING = ("9^{9^{9}}", "9^{9^{9}} + x")
"""Answers that a worker process cannot compare within its time limit."""

Phase = Literal["queued", "generating", "scoring", "resampled", "grading"]
PHASES: tuple[Phase, ...] = ("queued", "generating", "scoring", "resampled", "grading")
KINDS: dict[str, Callable[[str], tuple[str, dict[str, Any]]]] = {
    "plain": lambda who: ("/solve", {"problem": who, "n_particles": N}),
    "stream": lambda who: ("/solve", {"problem": who, "n_particles": N, "stream": True}),
    "batch": lambda who: ("/solve/batch", {"problems": [who, who], "n_particles": N // 2}),
}


class HeldGenerator(ScriptedGenerator):
    """Holds every client but one in a phase; ``live`` counts running calls by the first letter of the problem."""

    def __init__(self, phase: Phase | None) -> None:
        super().__init__()
        self.phase = phase
        self.live: Counter[str] = Counter()
        self.n_answers: Counter[str] = Counter()

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        who = chr(prefix_ids[0] - 1000)
        held = who != "p"
        self.live[who] += 1
        try:
            t = sum(token < 1000 for token in prefix_ids) + 1
            if held and (self.phase in ("queued", "generating") or (self.phase == "resampled" and t == 2)):
                await asyncio.Event().wait()
            if held and self.phase == "grading" and t == N_STEPS:
                self.n_answers[who] += 1
                return Step((t,), f"\\boxed{{{HANGING[self.n_answers[who] % 2]}}}", "eos", (-0.1,))
            return await super().step(prefix_ids, sampling, seed)
        finally:
            self.live[who] -= 1


class HeldRewardModel(ScriptedRewardModel):
    """Holds every client but one in a phase."""

    def __init__(self, phase: Phase | None) -> None:
        super().__init__()
        self.phase = phase
        self.live: Counter[str] = Counter()

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        self.live[problem[0]] += 1
        try:
            if problem[0] != "p" and self.phase == "scoring":
                await asyncio.Event().wait()
            return await super().score(problem, steps)
        finally:
            self.live[problem[0]] -= 1


class OneAtATime:
    """Admission that grants one request at a time."""

    def __init__(self) -> None:
        self.line: list[asyncio.Event] = []

    def enter(self, caller: str, n_particles: int) -> "Turn":
        turn = Turn(self.line)
        self.line.append(turn.come)
        self.line[0].set()
        return turn


class Turn:
    def __init__(self, line: list[asyncio.Event]) -> None:
        self.line = line
        self.come = asyncio.Event()

    async def granted(self) -> None:
        await self.come.wait()

    def release(self) -> None:
        self.line.remove(self.come)
        if self.line:
            self.line[0].set()


def n_graders() -> int:
    return sum(thread.name.startswith("answers") for thread in threading.enumerate())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_disconnect_cancels_only_the_search_of_its_client(phase: Phase, kind: str) -> None:
    """The bystander is held in the same phase as the client that disconnects, or runs while that client is queued."""
    generator, reward_model = HeldGenerator(phase), HeldRewardModel(phase)
    app = create_app(generator, reward_model)

    def live(who: str) -> int:
        return generator.live[who] + reward_model.live[who]

    def is_there(who: str) -> bool:
        return n_graders() > (who == "v") if phase == "grading" else live(who) > 0

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(GUARD_S), served(app) as address:
            if phase == "queued":
                await until(lambda: ServiceState.of(app).searches is not None)
                ServiceState.of(app).searches = Searches(searches_of(app).models, OneAtATime(), ServiceState.of(app).lifecycle)
            async with posted(address, *KINDS["plain"]("bystander")):
                await until(lambda: is_there("b"))
                async with posted(address, *KINDS[kind]("vanishes")):
                    await until(lambda: searches_of(app).n_in_progress == 2)
                    if phase == "queued":
                        assert live("v") == 0
                    else:
                        await until(lambda: is_there("v"))
                    since_s = loop.time()
                await until(lambda: live("v") == 0 and searches_of(app).n_in_progress == 1)
                seconds = loop.time() - since_s
                assert phase == "grading" or live("b") > 0, "the bystander goes on"
            await until(lambda: live("b") == 0 and searches_of(app).n_in_progress == 0)
            assert generator.live["v"] == reward_model.live["v"] == 0, "nothing was begun for it afterwards"
            async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}", timeout=GUARD_S) as client:
                assert (await client.post("/solve", json={"problem": "patient"})).json()["answer"] == "42"
            return seconds

    print(f"{kind}, {phase}: everything had ended {1000 * asyncio.run(scenario()):.1f} ms after the client closed its socket")


@pytest.mark.parametrize("kind", KINDS)
def test_a_disconnect_after_the_last_byte_cancels_nothing(kind: str) -> None:
    generator, reward_model = HeldGenerator(None), HeldRewardModel(None)
    app = create_app(generator, reward_model)

    async def scenario() -> None:
        async with asyncio.timeout(GUARD_S), served(app) as address:
            path, body = KINDS[kind]("vanishes")
            async with posted(address, path, body, connection="close") as client:
                answer = (await client.reader.read()).decode()
            assert answer.startswith("HTTP/1.1 200")
            assert '"answer":"42"' in answer
            await until(lambda: searches_of(app).n_in_progress == 0)
            assert not generator.cancelled.is_set()
            assert not reward_model.cancelled.is_set()
        assert not generator.closed, "models given by the caller stay the caller's"

    asyncio.run(scenario())


def test_a_disconnect_cancels_scoring() -> None:
    reward_model = ScriptedRewardModel(hold=True)
    app = create_app(ScriptedGenerator(), reward_model)

    async def scenario() -> None:
        async with asyncio.timeout(GUARD_S), served(app) as address:
            async with posted(address, "/score", {"problem": "a", "steps": ["b", "c"]}):
                await reward_model.entered.wait()
            await reward_model.cancelled.wait()
            await until(lambda: searches_of(app).n_in_progress == 0)

    asyncio.run(scenario())
