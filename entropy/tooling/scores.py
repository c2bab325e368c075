"""Numbers and bins made from the scores that a reward model gives a trace."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from epf.entropy.core.checks import refuse
from epf.entropy.core.information import FloatArray
from epf.entropy.traces import Trace

CLIP = 1e-7
"""Probabilities are clipped this far from 0 and 1 before their log odds are taken, as in a search."""

SUMMARIES: dict[str, Callable[[list[float]], float]] = {
    "first_score": lambda scores: scores[0],
    "lowest_score": min,
    "last_score": lambda scores: scores[-1],
}
"""Single numbers that summarise the scores of a trace."""


def log_odds(probability: float) -> float:
    """Returns ln p / (1 - p) of a probability, which is clipped to stay finite."""
    clipped = min(max(probability, CLIP), 1 - CLIP)
    return math.log(clipped) - math.log1p(-clipped)


def last_log_odds(trace: Trace, field: str) -> float:
    """Log odds of the reward model's last score. Raises ``InvalidRequest`` if the trace has no scores."""
    if not trace.scores:
        raise refuse(f"{field}.scores", "is empty or missing", "give the reward model's scores")
    return log_odds(trace.scores[-1])


def quantile_edges(values: Sequence[float] | FloatArray, n_bins: int) -> FloatArray:
    """Edges, ``(n_bins - 1,)``, between bins that hold equal shares of the values."""
    return np.asarray(np.quantile(values, np.arange(1, n_bins) / n_bins))


def bin_of(value: float, edges: FloatArray) -> int:
    """Number of a value's bin, from 0; a value on an edge belongs to the upper bin."""
    return int(np.searchsorted(edges, value, side="right"))
