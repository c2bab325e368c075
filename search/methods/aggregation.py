"""From the scores of a solution's steps to the one score that it is ranked by.

``last`` is how Snell et al. (arXiv 2408.03314, with a PRM trained on rollouts) score a whole answer; ``product`` and ``min``
are the two that Lightman et al. (arXiv 2305.20050) compare; ``mean`` is among those of Liu et al. (arXiv 2502.06703). A reward
model here judges the whole prefix after each step, so ``product`` counts an early mistake once more at every later step.
"""

import math
from collections.abc import Callable
from typing import Final

from epf.search.engine.trajectory import Chain
from epf.search.options import Aggregation

UNJUDGED = 0.5
"""Score of a particle without a step: nothing is known."""

AGGREGATIONS: Final[dict[Aggregation, Callable[[list[float]], float]]] = {
    "last": lambda scores: scores[-1],
    "min": min,
    "product": math.prod,
    "mean": lambda scores: math.fsum(scores) / len(scores),
}


def aggregated(chain: Chain, aggregation: Aggregation) -> float:
    """One score in [0, 1] of a chain that was judged after every step; for ``last`` the newest judgement is enough."""
    if not chain.scores:
        return UNJUDGED
    return AGGREGATIONS[aggregation]([chain.scores[-1]] if aggregation == "last" else _whole_steps(chain))


def _whole_steps(chain: Chain) -> list[float]:
    """Scores of the steps as a reader sees them: of one that was cut at its token limit the last, of an empty end none."""
    kept: list[float] = []
    text, cut = "", False
    for step, score in zip(chain.steps, chain.scores, strict=True):
        begun = cut and bool(text.strip())
        text = text + step.text if cut else step.text
        if begun:
            kept[-1] = score
        elif text.strip():
            kept.append(score)
        cut = step.finish == "length"
    return kept
