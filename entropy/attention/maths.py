"""Entropy of attention heads: which have collapsed, which are overloaded, and how much a regulariser would charge them.

Jha and Reagen, "Entropy-Guided Attention for Private LLMs" (arXiv 2501.03489). The entropy of a head on T tokens is the mean
entropy of its rows, E = -(1/T) sum_ij a_ij ln a_ij (Eq. 7). The paper sorts heads into four bins of equal width between 0 and
the largest entropy observed: a large share in the lowest bin is entropy collapse, in the highest entropic overload, and in a
healthy model about nine in ten heads lie between them. Its regulariser (Algorithm 1) charges a head (E - theta ln T)^2 if
|E - theta ln T| > gamma ln T, otherwise 0, and takes the mean over heads and layers.

Our additions: under a causal mask, row i sees only i keys, so that the entropy of a head is at most ln(T!) / T; the tool
reports both this ceiling and ln T. The logarithm has no epsilon; the paper adds one to avoid log 0. The paper's code charges
each query separately and sums; ``granularity="query"`` also charges queries, but takes the mean.
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
    """Maximum entropy of a head on ``length`` tokens: ln T, or ln(T!) / T under a causal mask."""
    return math.lgamma(length + 1) / length if causal else math.log(length)


def row_ceilings(length: int, *, causal: bool) -> FloatArray:
    """Maximum entropy of each row, ``(t,)``."""
    return np.log(np.arange(1, length + 1)) if causal else np.full(length, math.log(length))


def bins_of(heads: FloatArray) -> IntArray:
    """Bin of each head entropy, 0 to 3, same shape.

    The bins are quarters of the largest entropy, and each includes its lower end. All are 0 if the largest entropy is 0.
    """
    largest = heads.max()
    if largest <= 0:
        return np.zeros(heads.shape, dtype=np.intp)
    return np.searchsorted(largest * np.arange(1, N_BINS) / N_BINS, heads, side="right")


def penalties(entropies: FloatArray, length: int, *, theta: float, gamma: float) -> FloatArray:
    """The regulariser's charge for each entropy, same shape; its value is the mean of the charges.

    ``theta`` and ``gamma`` are parts of ln T. As in the paper, the charge jumps from 0 to (gamma ln T)^2 at the end of the
    tolerance.
    """
    uniform = math.log(length)
    deviation = entropies - theta * uniform
    return np.where(np.abs(deviation) > gamma * uniform, deviation**2, 0.0)
