"""A pair of models small enough to see through: four ways, one right, which the reward model misreads until the last step."""

import hashlib
from collections.abc import Sequence

import numpy as np

from epf.core.generator import Message, Sampling, Step
from epf.core.reward_model import Score
from epf.problem_sets.problem import Problem

N_STEPS = 4
N_WAYS = 4
PROMPT = 1000
"""Ids of tokens of the prompt begin here; those of a solution are smaller."""


def problems(n: int) -> list[Problem]:
    """Problems whose right answer is 42."""
    return [Problem(str(i), f"Which way, {i}?", "42") for i in range(n)]


class Ways:
    """The first step takes one of the ways, the next ones say nothing, and the last one states the answer to which it leads."""

    name = "ways"
    context_length = 4096

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return tuple(PROMPT + ord(c) for c in messages[-1].content)

    def token_bytes(self, token_id: int) -> bytes:
        return b"%d " % token_id

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        written = [token for token in prefix_ids if token < PROMPT]
        way = written[0] if written else int(np.random.default_rng(seed).integers(N_WAYS))
        if len(written) < N_STEPS - 1:
            return Step((way if not written else 100 + len(written),), f"Way {way}, {len(written)}.", "separator", (-0.1,))
        return Step((100 + len(written),), f"The answer is \\boxed{{{42 + way}}}.", "eos", (-0.1,))

    async def ready(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Misreader:
    """Reads log odds of 4 (+-1 + noise) until the end, with the same noise for all who take a way, then +-4."""

    name = "misreader"

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        way = int(steps[0].removeprefix("Way ").partition(",")[0])
        sign = 1.0 if way == 0 else -1.0
        digest = hashlib.blake2b(f"{problem}:{way}".encode(), digest_size=8).digest()
        noise = np.random.default_rng(list(digest)).normal(0.0, 2.0)
        log_odds = 4.0 * sign if len(steps) == N_STEPS else 4.0 * (sign + float(noise))
        return Score(float(1.0 / (1.0 + np.exp(-log_odds))), 1)

    async def ready(self) -> None:
        pass

    async def aclose(self) -> None:
        pass
