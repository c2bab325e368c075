"""From the scores of a solution's steps to the one score by which it is ranked.

``last`` is how Snell et al. (arXiv 2408.03314, with a PRM trained on rollouts) score a whole answer; ``product`` and ``min``
are the two that Lightman et al. (arXiv 2305.20050) compare; ``mean`` is among those of Liu et al. (arXiv 2502.06703). A reward
model here scores the whole prefix after each step, so ``product`` counts an early mistake once more at every later step.
"""

import math
from collections.abc import Callable
from typing import Final

from epf.search.engine.search_run import NO_OPINION
from epf.search.engine.trajectory import Trajectory
from epf.search.options import Aggregation

AGGREGATIONS: Final[dict[Aggregation, Callable[[list[float]], float]]] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "product": math.prod,
    "mean": lambda scores: math.fsum(scores) / len(scores),
}


def aggregated(trajectory: Trajectory, aggregation: Aggregation) -> float:
    """One score in [0, 1] for a trajectory that was scored after every step; ``last`` needs the newest score only."""
    if not trajectory.scores:
        return NO_OPINION
    return AGGREGATIONS[aggregation]([trajectory.scores[-1]] if aggregation == "last" else _whole_steps(trajectory))


def _whole_steps(trajectory: Trajectory) -> list[float]:
    """Scores of the steps as a reader sees them. A step cut at its token limit has its last score; an empty end has none."""
    scores: list[float] = []
    text, cut = "", False
    for step, score in zip(trajectory.steps, trajectory.scores, strict=True):
        continues = cut and bool(text.strip())
        text = text + step.text if cut else step.text
        if continues:
            scores[-1] = score
        elif text.strip():
            scores.append(score)
        cut = step.finish == "length"
    return scores
