"""Supervised rate-distortion audit: how many bits of a vector a decision needs.

Following the entropic student, "Supervised Compression for Resource-Constrained Edge Computing Systems" (Matsubara, Yang,
Levorato and Mandt, WACV 2022, arXiv 2108.11898), as implemented in its code: a vector z is rounded to z' = round(z - median) +
median, encoded under a factorised prior, and evaluated by a task that uses z'. Nothing is trained here, so this is not the
entropic student: the step size of the rounding is given, priors are fitted per column
(:mod:`epf.entropy.rate_distortion.priors`), and the task is a linear probe (:mod:`epf.entropy.rate_distortion.probe`). All of
this is ours, and so are the measures of the decision and the knee.

Rows are assigned to folds. Prior and probe of a fold are learned from the other rows, because a prior that has seen the rows it
encodes would be too good. Median and range of each column are assumed to be known to both sides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from epf.entropy.core.information import FloatArray, IntArray, kl_of_logs, log_softmax
from epf.entropy.rate_distortion.coding import encode, information, table
from epf.entropy.rate_distortion.priors import Prior, probabilities, rounded
from epf.entropy.rate_distortion.probe import probes

MAX_FOLDS = 5
WORD_BITS = 32


@dataclass(frozen=True, slots=True)
class Rate:
    """Vectors rounded to one step size.

    Attributes:
        values: rounded vectors, ``(n, d)``.
        bits: information content of all vectors.
        coded_bits: length of all vectors as one stream of a range coder, at least ``bits``.
        mean_values: mean number of distinct values per column.
    """

    values: FloatArray
    bits: float
    coded_bits: int
    mean_values: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions based on rounded vectors, compared with those based on the original ones.

    Attributes:
        distortion: for scores, the mean squared change over their variance; for labels, the share that changes.
        agreement: share of the decisions that do not change: the best row of each group by scores, or the label of each row.
        error: for scores, the mean squared error; for labels, the share of wrong ones.
        weight_divergence: mean over groups of KL(before || after) of the weights softmax(scores), in nats; 0 for labels.
    """

    distortion: float
    agreement: float
    error: float
    weight_divergence: float


def folds_of(groups: IntArray) -> IntArray:
    """Number of each row's fold, ``(n,)``, up to five folds; rows of the same group, numbered from 0, share a fold."""
    return np.asarray(groups % min(MAX_FOLDS, int(groups.max()) + 1))


def longest(vectors: FloatArray, step: float) -> int:
    """Maximum number of integers between the smallest and the largest value of a column, at this step size."""
    return int(np.ptp(vectors, axis=0).max() / step) + 2


def rate(vectors: FloatArray, step: float, prior: Prior, folds: IntArray) -> Rate:
    """Rounds and encodes vectors ``(n, d)``; each column must span at most 4096 steps."""
    median = np.median(vectors, axis=0)
    scaled = (vectors - median) / step
    symbols = rounded(scaled)
    low, high = symbols.min(axis=0), symbols.max(axis=0)
    parts = list(_parts(scaled, symbols, low, high, prior, folds))
    n_values = (np.diff(np.sort(symbols, axis=0), axis=0) > 0).sum(axis=0) + 1
    return Rate(
        values=median + step * symbols,
        bits=float(sum(information(some, frequencies).sum() for some, frequencies in parts)),
        coded_bits=WORD_BITS * encode(parts).size,
        mean_values=float(n_values.mean()),
    )


def _parts(
    scaled: FloatArray, symbols: IntArray, low: IntArray, high: IntArray, prior: Prior, folds: IntArray
) -> Iterator[tuple[IntArray, IntArray]]:
    """Yields symbols, from 0, and the prior's table, for each fold and each column with more than one value."""
    for fold in np.unique(folds):
        here = folds == fold
        learned, coded = scaled[~here], symbols[here]
        for j in np.flatnonzero(high > low):
            p = probabilities(prior, learned[:, j], int(low[j]), int(high[j]))
            yield coded[:, j] - low[j], table(p)


class Task:
    """A decision that is predicted from vectors by a probe of the other folds: scores of rows, or one of k labels.

    ``target`` is scores ``(n, 1)``, or one-hot labels ``(n, k)`` with k > 1. ``groups``, ``(n,)``, numbered from 0, are the
    rows whose scores are compared with each other.
    """

    def __init__(self, vectors: FloatArray, target: FloatArray, folds: IntArray, groups: IntArray) -> None:
        self._probes = probes(vectors, target, folds)
        self._target, self._groups = target, groups
        self._whole = self._read(vectors)
        self.error = self._error(self._whole)
        """:attr:`Decisions.error` of the original vectors."""

    @property
    def blind_error(self) -> float:
        """The error without vectors: the variance of the scores, or the share of labels other than the most frequent."""
        if self._target.shape[1] == 1:
            return float(self._target.var())
        return 1.0 - float(self._target.mean(axis=0).max())

    def decisions(self, vectors: FloatArray) -> Decisions:
        """Decisions based on these vectors instead of the original ones."""
        read = self._read(vectors)
        if self._target.shape[1] > 1:
            same = float((read.argmax(axis=1) == self._whole.argmax(axis=1)).mean())
            return Decisions(1.0 - same, same, self._error(read), 0.0)
        before, after = self._whole[:, 0], read[:, 0]
        variance = float(before.var())
        agreement, divergence = self._compared(before, after)
        return Decisions(
            distortion=float(((after - before) ** 2).mean()) / variance if variance > 0 else 0.0,
            agreement=agreement,
            error=self._error(read),
            weight_divergence=divergence,
        )

    def _read(self, vectors: FloatArray) -> FloatArray:
        read = np.empty_like(self._target)
        for probe in self._probes:
            read[probe.rows] = probe.read(vectors[probe.rows])
        return read

    def _error(self, read: FloatArray) -> float:
        if self._target.shape[1] == 1:
            return float(((read - self._target) ** 2).mean())
        return float((read.argmax(axis=1) != self._target.argmax(axis=1)).mean())

    def _compared(self, before: FloatArray, after: FloatArray) -> tuple[float, float]:
        """Share of the groups with the same best row, and the mean divergence of their weights."""
        order = np.argsort(self._groups, kind="stable")
        starts = np.flatnonzero(np.diff(self._groups[order], prepend=-1))
        same, divergence = [], []
        for rows in np.split(order, starts[1:]):
            old, new = before[rows], after[rows]
            same.append(old.argmax() == new.argmax())
            divergence.append(float(kl_of_logs(log_softmax(old), log_softmax(new))))
        return float(np.mean(same)), float(np.mean(divergence))
