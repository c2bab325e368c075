"""Every random draw of a search has its own seed, derived from the search's and from what the draw is for.

So results do not depend on which upstream call ends first.
"""

from typing import Literal

import numpy as np

Stage = Literal["step", "lookahead", "resampling", "selection"]

_STAGES: dict[Stage, int] = {"step": 0, "lookahead": 1, "resampling": 2, "selection": 3}


def sequence(seed: int, stage: Stage, t: int = 0, slot: int = 0) -> np.random.SeedSequence:
    """Child of ``seed`` for one draw: the stage, the step number and the particle's slot."""
    return np.random.SeedSequence(seed, spawn_key=(_STAGES[stage], t, slot))


def call_seed(seed: int, stage: Stage, t: int, slot: int) -> int:
    """Seed in [0, 2^53) of one generator call; that range is exact in JSON too."""
    return int(sequence(seed, stage, t, slot).generate_state(1, np.uint64)[0] >> np.uint64(11))
