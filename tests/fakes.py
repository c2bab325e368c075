"""A scripted generator and a scripted reward model, for tests of everything around the search."""

import asyncio
from collections.abc import Sequence

from epf.core.generator import Message, Sampling, Step
from epf.core.reward_model import Score

N_STEPS = 4


class ScriptedGenerator:
    """Writes ``N_STEPS`` steps, one token each, and ends with the answer 42 (41 for one seed in five).

    With ``hold``, every call to ``step`` waits until it is cancelled: ``entered`` is set when one waits, ``cancelled`` when one
    was cancelled. ``error`` is raised instead of a step.
    """

    name = "scripted-generator"
    context_length = 4096

    def __init__(self, *, hold: bool = False, error: Exception | None = None) -> None:
        self.hold = hold
        self.error = error
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.n_running = 0
        self.most_running = 0
        self.closed = False
        self.unready: Exception | None = None

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return tuple(1000 + ord(c) for c in messages[-1].content)

    def token_bytes(self, token_id: int) -> bytes:
        return b"%d " % token_id

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        if self.error is not None:
            raise self.error
        self.n_running += 1
        self.most_running = max(self.most_running, self.n_running)
        try:
            if self.hold:
                self.entered.set()
                await asyncio.Event().wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.n_running -= 1
        t = sum(token < 1000 for token in prefix_ids) + 1
        if t < N_STEPS:
            return Step((t,), f"Step {t}: {t} + {seed % 7} = {t + seed % 7}.", "separator", (-0.1,))
        answer = 41 if seed % 5 == 0 else 42
        return Step((t,), f"The answer is \\boxed{{{answer}}}.", "eos", (-0.1,))

    async def ready(self) -> None:
        if self.unready is not None:
            raise self.unready

    async def aclose(self) -> None:
        self.closed = True


class ScriptedRewardModel:
    """Scores 41 as wrong and everything else as probably right.

    With ``hold``, every call waits until it is cancelled, like those of the generator.
    """

    name = "scripted-reward-model"

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.n_running = 0
        self.closed = False
        self.unready: Exception | None = None

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        self.n_running += 1
        try:
            if self.hold:
                self.entered.set()
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.n_running -= 1
        return Score(0.1 if "41" in steps[-1] else 0.8, 1)

    async def ready(self) -> None:
        if self.unready is not None:
            raise self.unready

    async def aclose(self) -> None:
        self.closed = True
