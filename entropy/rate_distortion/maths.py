"""Supervised rate-distortion audit: how many bits vectors need for a decision to survive.

After the entropic student, "Supervised Compression for Resource-Constrained Edge Computing Systems" (Matsubara, Yang, Levorato
and Mandt, WACV 2022, arXiv 2108.11898), read in its code: a vector z is rounded to z' = round(z - median) + median, coded under
a factorised prior, and judged by what a task makes of z'. Nothing is trained here, so this is not the entropic student: the
step of the rounding is given, priors are fitted per column (:mod:`epf.entropy.rate_distortion.priors`), and the task is a
linear probe (:mod:`epf.entropy.rate_distortion.probe`). All of that is ours, as are the measures of the decision and the knee.

Rows are dealt to folds. Prior and probe of a fold are learned from the other rows: a prior that has seen what it codes cheats.
Median and range of each column are taken as known to both sides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from epf.entropy.core.information import FloatArray, IntArray, kl, log_softmax
from epf.entropy.rate_distortion.coding import encode, information, table
from epf.entropy.rate_distortion.priors import Prior, probabilities, rounded
from epf.entropy.rate_distortion.probe import probes

MAX_FOLDS = 5
WORD_BITS = 32


@dataclass(frozen=True, slots=True)
class Rate:
    """Vectors rounded to one step.

    Attributes:
        values: what is left of them, ``(n, d)``.
        bits: information content of all.
        coded_bits: length of all as one stream of a range coder, at least ``bits``.
        mean_values: distinct values of a column, in the mean.
    """

    values: FloatArray
    bits: float
    coded_bits: int
    mean_values: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is decided by rounded vectors, against the whole ones.

    Attributes:
        distortion: of scores the mean squared change over their variance; of labels the part that changes. 0 if all is kept.
        agreement: part of the decisions that stay: the best of each group by scores, the label of each row.
        error: of scores the mean squared difference to the target; of labels the part that is wrong.
        weight_divergence: mean over groups of KL(before || after) of the weights softmax(scores), in nats; 0 for labels.
    """

    distortion: float
    agreement: float
    error: float
    weight_divergence: float


def folds_of(groups: IntArray) -> IntArray:
    """Number of each row's fold, ``(n,)``; rows of one group, numbered from 0, are in one fold. Up to five."""
    return np.asarray(groups % min(MAX_FOLDS, int(groups.max()) + 1))


def longest(vectors: FloatArray, step: float) -> int:
    """How many whole numbers the widest column has between its least and its greatest, at this step."""
    return int(np.ptp(vectors, axis=0).max() / step) + 2


def rate(vectors: FloatArray, step: float, prior: Prior, folds: IntArray) -> Rate:
    """Round and code vectors ``(n, d)``; each column must span at most 4096 steps."""
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
    """Symbols from 0 of each fold and column that has more than one value, with the table of the prior."""
    for fold in np.unique(folds):
        here = folds == fold
        learned, coded = scaled[~here], symbols[here]
        for j in np.flatnonzero(high > low):
            p = probabilities(prior, learned[:, j], int(low[j]), int(high[j]))
            yield coded[:, j] - low[j], table(p)


class Task:
    """A decision that is read from vectors by a probe of the other folds: scores of rows, or one of k labels.

    ``target``: scores ``(n, 1)``, or labels as ``(n, k)`` of zeros and ones with k > 1. ``groups``, ``(n,)``: rows whose scores
    are compared with each other, numbered from 0.
    """

    def __init__(self, vectors: FloatArray, target: FloatArray, folds: IntArray, groups: IntArray) -> None:
        self._probes = probes(vectors, target, folds)
        self._target, self._groups = target, groups
        self._whole = self._read(vectors)
        self.error = self._error(self._whole)
        """As :attr:`Decisions.error`, of the whole vectors."""

    @property
    def blind_error(self) -> float:
        """The error of who sees no vector: the variance of the scores, or the part of the labels that are not the commonest."""
        if self._target.shape[1] == 1:
            return float(self._target.var())
        return 1.0 - float(self._target.mean(axis=0).max())

    def decisions(self, vectors: FloatArray) -> Decisions:
        """What is decided by these vectors in place of the whole ones."""
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
        """Part of the groups with the same best row, and the mean divergence of their weights."""
        order = np.argsort(self._groups, kind="stable")
        starts = np.flatnonzero(np.diff(self._groups[order], prepend=-1))
        same, divergence = [], []
        for rows in np.split(order, starts[1:]):
            old, new = before[rows], after[rows]
            same.append(old.argmax() == new.argmax())
            divergence.append(float(kl(np.exp(log_softmax(old)), np.exp(log_softmax(new)))))
        return float(np.mean(same)), float(np.mean(divergence))
