"""Which attention heads have collapsed and which are overloaded, and what a regulariser of their entropy would charge.

Jha and Reagen, "Entropy-Guided Attention for Private LLMs" (arXiv 2501.03489). The entropy of a head on T tokens is that of its
rows, E = -(1/T) sum_ij a_ij ln a_ij (Eq. 7). The paper puts heads into four bins of equal width between 0 and the largest
entropy observed: a large part in the lowest is entropy collapse, in the highest entropic overload, and in a healthy model about
nine in ten heads lie between. Its regulariser (Algorithm 1) charges a head the square of E - theta ln T where that is more than
gamma ln T away from 0, and nothing else, in the mean over heads and layers.

Ours: under a causal mask row i sees i keys only, so that a head cannot reach more than ln(T!) / T; both ceilings are told. The
logarithm has no epsilon, which the paper's has for the sake of log 0. The paper's code charges each query by itself and sums;
``granularity="query"`` does that, but takes the mean.
"""

import math
from typing import Literal

import numpy as np

from epf.entropy.core.information import FloatArray, IntArray, entropy

Granularity = Literal["head", "query"]
N_BINS = 4


def row_entropies(attention: FloatArray) -> FloatArray:
    """Entropy of each query's distribution over keys, ``(..., t)``, of maps ``(..., t, t)``."""
    return entropy(attention)


def ceiling(length: int, *, causal: bool) -> float:
    """Most entropy that a head can have on so many tokens: ln T, or ln(T!) / T under a causal mask."""
    return math.lgamma(length + 1) / length if causal else math.log(length)


def row_ceilings(length: int, *, causal: bool) -> FloatArray:
    """Most entropy of each row, ``(t,)``."""
    return np.log(np.arange(1, length + 1)) if causal else np.full(length, math.log(length))


def bins_of(heads: FloatArray) -> IntArray:
    """Bin of each head entropy, 0 to 3, same shape: quarters of the largest, each with its lower end; all 0 if that is 0."""
    most = heads.max()
    if most <= 0:
        return np.zeros(heads.shape, dtype=np.intp)
    return np.searchsorted(most * np.arange(1, N_BINS) / N_BINS, heads, side="right")


def penalties(entropies: FloatArray, length: int, *, theta: float, gamma: float) -> FloatArray:
    """What the regulariser charges each entropy, same shape; its value is their mean.

    ``theta`` and ``gamma`` are parts of ln T. As in the paper, the charge jumps from 0 to (gamma ln T)^2 where the tolerance
    ends.
    """
    most = math.log(length)
    deviation = entropies - theta * most
    return np.where(np.abs(deviation) > gamma * most, deviation**2, 0.0)
