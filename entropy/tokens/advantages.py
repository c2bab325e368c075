"""What a trace's outcome says about its steps: advantages of group relative policy optimisation (GRPO).

Shao et al., "DeepSeekMath" (arXiv 2402.03300), section 4.1. A reward counts relative to the others of its group, the traces of
one problem: (r - mean) / standard deviation. With outcomes every step has its trace's; with process supervision a step has the
sum of the normalised rewards of itself and of those that follow. A group of equal rewards teaches nothing: 0.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np

from epf.entropy.core.information import FloatArray

Advantage = Literal["reinforce", "correct", "scores"]


def outcome_advantages(rewards: Sequence[float], groups: Sequence[Hashable]) -> FloatArray:
    """Advantage of each trace, ``(n,)``, from one reward per trace and the group that it belongs to."""
    return np.array([step[0] for step in _normalised([[reward] for reward in rewards], groups)])


def process_advantages(rewards: Sequence[Sequence[float]], groups: Sequence[Hashable]) -> list[FloatArray]:
    """Advantage of each step of each trace, from one reward per step."""
    return [np.cumsum(steps[::-1])[::-1] for steps in _normalised(rewards, groups)]


def _normalised(rewards: Sequence[Sequence[float]], groups: Sequence[Hashable]) -> list[FloatArray]:
    """Rewards less the mean of all of their group, over their sample standard deviation."""
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    found = [np.zeros(len(steps)) for steps in rewards]
    for rows in members.values():
        everything = np.concatenate([np.asarray(rewards[i], dtype=np.float64) for i in rows])
        if everything.size < 2:
            continue
        mean, deviation = everything.mean(), everything.std(ddof=1)
        if np.ptp(everything) == 0 or deviation == 0:  # the least differences have squares of zero
            continue
        for i in rows:
            found[i] = (np.asarray(rewards[i], dtype=np.float64) - mean) / deviation
    return found
