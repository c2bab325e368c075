"""The lattice of information: the content of a variable, independent of what its values are called.

Delsol, Rioul, Beguinot, Rabiet and Souloumiac, "An Information Theoretic Condition for Perfect Reconstruction", Entropy
26(1):86, 2024 (arXiv 2306.15540). Two variables carry the same information if each is a function of the other, and X is below Y
if X is a function of Y. A variable is given by its codes, ``(n,)`` integers 0, 1, ... k - 1 that all occur, one for each of n
equally probable samples. All quantities are those of the empirical distribution, in nats. The theory is the paper's; using
samples instead of a known distribution, and the threshold in :func:`meet`, is ours.
"""

from collections.abc import Hashable, Iterable

import numpy as np

from epf.core.extras import import_extra
from epf.entropy.core.information import IntArray, entropy_of_counts

_DENSE = 4
"""Maximum number of cells per sample of a table in which pairs of values are counted; beyond it, pairs are sorted."""

TOLERANCE = 1e-9
"""Entropies closer than this, in nats, count as equal, because rounding leaves such a residue of a zero difference."""


def codes_of(values: Iterable[Hashable]) -> IntArray:
    """Codes of the values, numbered in order of first occurrence."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.intp)


def n_values(x: IntArray) -> int:
    """Number of distinct values."""
    return int(x.max()) + 1


def sample_of_each(x: IntArray) -> IntArray:
    """Index of one sample for each value, ``(k,)``."""
    where = np.empty(n_values(x), dtype=np.intp)
    where[x] = np.arange(x.size)
    return where


def join(x: IntArray, y: IntArray) -> IntArray:
    """The least information above both: the pair (x, y)."""
    pairs, n_pairs = x * n_values(y) + y, n_values(x) * n_values(y)
    if n_pairs > _DENSE * x.size:
        return np.asarray(np.unique(pairs, return_inverse=True)[1], dtype=np.intp)
    seen = np.bincount(pairs, minlength=n_pairs) > 0
    return np.asarray((np.cumsum(seen) - 1)[pairs])


def meet(x: IntArray, y: IntArray, *, min_count: int = 1) -> IntArray:
    """The greatest information below both, their common information: connected components of values that occur together.

    This is the paper's Algorithm 1. The meet is not continuous in the probabilities (Prop. 19): one stray sample merges two
    classes. Our addition: samples whose pair of values occurs fewer than ``min_count`` times are excluded; their code is -1.
    """
    sparse, csgraph = import_extra("scipy.sparse", "entropy"), import_extra("scipy.sparse.csgraph", "entropy")
    pairs = join(x, y)
    edges = sample_of_each(pairs)[np.bincount(pairs) >= min_count]
    n_x, n_y = n_values(x), n_values(y)
    graph = sparse.coo_array((np.ones(edges.size, np.int8), (x[edges], n_x + y[edges])), shape=(n_x + n_y, n_x + n_y))
    component = csgraph.connected_components(graph, directed=False)[1]
    code_of_x = np.full(n_x, -1, dtype=np.intp)
    code_of_x[x[edges]] = np.unique(component[x[edges]], return_inverse=True)[1]
    return np.asarray(np.where(np.bincount(pairs)[pairs] >= min_count, code_of_x[x], -1))


def complement(x: IntArray, y: IntArray) -> IntArray:
    """The part of y that x lacks, where x is a function of y: z with join(x, z) = y and meet(x, z) = 0, up to names.

    The paper's Proposition 8 and Algorithm 2: z numbers the values of y within each value of x. The result is not unique; the
    numbering from the most frequent value, which keeps H(z) low, is ours.
    """
    counts = np.bincount(y)
    x_of_y = x[sample_of_each(y)]
    order = np.lexsort((-counts, x_of_y))
    position = np.arange(order.size)
    first = np.concatenate(([True], np.diff(x_of_y[order]) > 0))
    index = np.empty_like(order)
    index[order] = position - np.maximum.accumulate(np.where(first, position, 0))
    return np.asarray(index[y])


def entropy_of(x: IntArray) -> float:
    """H(X) of the samples whose code is not -1."""
    return entropy_of_counts(np.bincount(x[x >= 0]))


def conditional_entropy(x: IntArray, y: IntArray) -> float:
    """H(X|Y), zero if X is a function of Y."""
    return max(0.0, entropy_of(join(x, y)) - entropy_of(y))


def shannon_distance(x: IntArray, y: IntArray) -> float:
    """D(X,Y) = H(X|Y) + H(Y|X) in nats, a metric on the lattice."""
    return conditional_entropy(x, y) + conditional_entropy(y, x)


def rajski_distance(x: IntArray, y: IntArray) -> float:
    """d(X,Y) = D(X,Y) / H(X,Y), a metric in [0, 1]; 0 between two constants."""
    joint = entropy_of(join(x, y))
    return shannon_distance(x, y) / joint if joint > TOLERANCE else 0.0
