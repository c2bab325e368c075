"""Every random draw of a search has its own seed, derived from the search's and from what the draw is for.

So results do not depend on which upstream call ends first.
"""

from functools import lru_cache
from typing import Literal

import numpy as np

Stage = Literal["step", "lookahead", "resampling", "selection", "reference"]

_STAGES: dict[Stage, int] = {"step": 0, "lookahead": 1, "resampling": 2, "selection": 3, "reference": 4}


def sequence(seed: int, stage: Stage, t: int = 0, *first: int) -> np.random.SeedSequence:
    """Child of ``seed`` for a stage of one step, and for the particles from slot ``first`` on where groups take turns."""
    return np.random.SeedSequence(seed, spawn_key=(_STAGES[stage], t, *first))


def call_seed(seed: int, stage: Stage, t: int, slot: int) -> int:
    """Seed in [0, 2^53) of one generator call; that range is exact in JSON too.

    Those of neighbouring slots follow each other, which lets a generator draw them together. A generator's random numbers do
    not show that: each seed begins a sequence of its own.
    """
    return (_first_seed(seed, stage, t) + slot) % 2**53


@lru_cache(maxsize=256)
def _first_seed(seed: int, stage: Stage, t: int) -> int:
    """That of slot 0. All particles of a round ask for it, and making a seed sequence takes longer than all else here."""
    return int(sequence(seed, stage, t).generate_state(1, np.uint64)[0] >> np.uint64(11))
