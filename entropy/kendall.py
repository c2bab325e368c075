"""Kendall's rank correlation of many short rankings at once, where a call of scipy's for each would cost 0.2 ms."""

import numpy as np

from entropy.core import FloatArray, IntArray


def kendall_tau(values: FloatArray) -> FloatArray:
    """Kendall's tau-b of each row ``(n, c)`` with the order of its columns, ``(n,)``: 1 where it rises, -1 where it falls.

    0 where all values of a row are equal, or there is one. O(n c log^2 c).
    """
    n, c = values.shape
    ranks = _dense_ranks(values)
    pairs = c * (c - 1) / 2
    sizes = np.bincount((np.arange(n)[:, None] * c + ranks).ravel(), minlength=n * c).reshape(n, c)
    untied = pairs - (sizes * (sizes - 1) / 2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = (untied - 2 * _inversions(ranks)) / np.sqrt(untied * pairs)
    return np.asarray(np.where(untied > 0, tau, 0.0))


def _dense_ranks(values: FloatArray) -> IntArray:
    """Rank of each value among the distinct ones of its row, from 0; equal values have one rank."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    steps = np.zeros(values.shape, dtype=np.intp)
    steps[:, 1:] = np.diff(ordered, axis=1) > 0
    ranks = np.empty_like(steps)
    np.put_along_axis(ranks, order, steps.cumsum(axis=1), axis=1)
    return ranks


def _inversions(ranks: IntArray) -> IntArray:
    """Number of pairs of each row, ``(n,)``, whose first rank is the higher one.

    Two ranks are told apart by the highest bit in which they differ. So for each bit, from the highest: among those that agree
    in all bits above, in their order, count the ones before each zero.
    """
    n, c = ranks.shape
    n_bits = max(1, int(c - 1).bit_length())
    keys = ((np.arange(n)[:, None] << n_bits) | ranks).ravel()
    inversions = np.zeros(n, dtype=np.intp)
    for bit in reversed(range(n_bits)):
        group = keys >> (bit + 1)
        one = (keys >> bit) & 1
        before = np.cumsum(one) - one
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        before -= np.repeat(before[starts], np.diff(starts, append=keys.size))
        inversions += np.bincount(keys >> n_bits, weights=before * (1 - one), minlength=n).astype(np.intp)
        keys = keys[np.argsort(keys >> bit, kind="stable")]
    return inversions
