"""Seeds of a search: each random draw has its own, derived from the search's seed and from the purpose of the draw."""

from functools import lru_cache
from typing import Literal

import numpy as np

Stage = Literal["step", "lookahead", "resampling", "selection", "reference"]
_STAGES: dict[Stage, int] = {"step": 0, "lookahead": 1, "resampling": 2, "selection": 3, "reference": 4}


def call_seed(seed: int, stage: Stage, t: int, slot: int) -> int:
    """Seed in [0, 2^53) of one generator call; integers in that range are exact in JSON too.

    Seeds of neighbouring slots are consecutive, so that a generator can sample these slots together. A generator's random
    numbers do not show that: each seed begins a sequence of its own.
    """
    return (_first_seed(seed, stage, t) + slot) % 2**53


@lru_cache(maxsize=256)
def _first_seed(seed: int, stage: Stage, t: int) -> int:
    """Seed of slot 0, which all particles of a round ask for. Making a seed sequence takes longer than all else here."""
    return int(seed_sequence(seed, stage, t).generate_state(1, np.uint64)[0] >> np.uint64(11))


def seed_sequence(seed: int, stage: Stage, t: int, *first: int) -> np.random.SeedSequence:
    """Seeds for one stage of step ``t``; ``first`` as in :meth:`SearchRun.rng`."""
    return np.random.SeedSequence(seed, spawn_key=(_STAGES[stage], t, *first))
