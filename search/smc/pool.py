r"""A filter whose draws can go back to prefixes of earlier rounds, with weights that keep its target.

A weighted set of prefixes, whatever their lengths, is *proper* if sum_i w_i h(x_i) has expectation gamma(f) for every f, where
h(x) is the expectation of f(X) odds(X) / odds(x) over the continuations X of x that the model may write. Extending members by a
step and multiplying their weights by the ratio of odds keeps a set proper, and so does an unbiased draw. Two proper sets mixed
with shares that were fixed before either was extended make a proper set.

Round t: S is the filter's set, its finished members and the particles that just moved. The pool Q is the mean of the sets C of
all earlier rounds, each with the weights that it had before its draw. If the last round pruned much, C = (1 - fraction) S +
fraction Q, else C = S. Whether to mix must be known before the particles move: a choice that depends on their new steps would
favour one of two sets that are right only on average.

Finished members of C stay with their weight and need no particle. The share of the unfinished mass decides how many of the n
particles continue, rounded up or down at random so that it is right on average; they are drawn from the unfinished members in
proportion to weight^(1 / temperature), and keep what the draw did not use. If no particle continues, the finished members are
the result.

The sum of the weights over n is an unbiased estimate of the evidence sum_x p(x) odds(x), and each whole solution's weight of
its part in it.
"""

from dataclasses import dataclass

import numpy as np

from epf.search.smc.weights import RESAMPLERS, BoolArray, FloatArray, IntArray, Scheme, log_sum, normalise


@dataclass(frozen=True, slots=True)
class Pool:
    """All prefixes so far, ``(k,)``.

    Attributes:
        n_sets: number of rounds whose sets the pool is the mean of.
        finished: whether each prefix is a whole solution.
        solved: log weights of whole solutions in the filter's set; -inf for other prefixes.
        remembered: log weights in the pool; -inf for prefixes that died.
    """

    n_sets: int
    finished: BoolArray
    solved: FloatArray
    remembered: FloatArray


def start() -> Pool:
    """An empty pool."""
    return Pool(0, np.zeros(0, dtype=np.bool_), np.zeros(0), np.zeros(0))


def joined(pool: Pool, log_weights: FloatArray) -> FloatArray:
    """The filter's set S, ``(k + m,)``: the solutions so far and the particles that moved, ``(m,)``."""
    return np.concatenate([pool.solved, log_weights])


def draw(
    pool: Pool,
    log_weights: FloatArray,
    finished: BoolArray,
    n: int,
    *,
    fraction: float,
    temperature: float,
    scheme: Scheme,
    rng: np.random.Generator,
) -> tuple[Pool, IntArray, FloatArray]:
    """The next pool, the prefixes ``(m',)`` that continue, each an index in 0..k+m-1, and their log weights ``(m',)``.

    ``log_weights`` and ``finished`` belong to the particles that moved, ``(m,)``; ``fraction`` is 0 in a round without mixing.
    """
    everyone = np.concatenate([pool.finished, finished])
    unseen = np.full(log_weights.size, -np.inf)
    remembered = np.concatenate([pool.remembered, unseen])
    mixed = joined(pool, log_weights)
    if fraction > 0.0 and pool.n_sets:
        mixed = np.logaddexp(_scaled(mixed, 1.0 - fraction), _scaled(remembered, fraction))
    n_sets = pool.n_sets + 1
    mean = np.logaddexp(_scaled(remembered, pool.n_sets / n_sets), _scaled(mixed, 1.0 / n_sets))
    after = Pool(n_sets, everyone, np.where(everyone, mixed, -np.inf), mean)

    open_ones = np.flatnonzero(~everyone & (mixed > -np.inf))
    if not open_ones.size:
        return after, np.zeros(0, dtype=np.intp), np.zeros(0)
    expected = n * float(np.exp(log_sum(mixed[open_ones]) - log_sum(mixed)))
    m = min(n, int(expected + rng.random()))
    if m == 0:
        return after, np.zeros(0, dtype=np.intp), np.zeros(0)
    drawn_with = mixed[open_ones] / temperature
    a = RESAMPLERS[scheme](normalise(drawn_with), m, rng)
    left = mixed[open_ones][a] - drawn_with[a] + log_sum(drawn_with) - np.log(expected)
    return after, open_ones[a], left


def _scaled(log_weights: FloatArray, factor: float) -> FloatArray:
    return log_weights + np.log(factor) if factor > 0.0 else np.full(log_weights.size, -np.inf)
