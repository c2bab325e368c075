"""Advantages of group relative policy optimisation (GRPO).

Shao et al., "DeepSeekMath" (arXiv 2402.03300), section 4.1. A reward is normalised within its group, the traces of one problem:
(r - mean) / standard deviation. With outcome supervision, every step has the normalised reward of its trace. With process
supervision, a step has the sum of the normalised rewards of itself and of the following steps. If all rewards of a group are
equal, its advantages are 0.
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
    """Rewards minus the mean of their group, over the sample standard deviation of the group."""
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    found = [np.zeros(len(steps)) for steps in rewards]
    for rows in members.values():
        everything = np.concatenate([np.asarray(rewards[i], dtype=np.float64) for i in rows])
        if everything.size < 2:
            continue
        mean, deviation = everything.mean(), everything.std(ddof=1)
        if np.ptp(everything) == 0 or deviation == 0:  # squares of tiny differences underflow to 0
            continue
        for i in rows:
            found[i] = (np.asarray(rewards[i], dtype=np.float64) - mean) / deviation
    return found
