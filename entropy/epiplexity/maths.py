"""Epiplexity: how much of a data set a bounded learner can learn, and how much remains noise to it.

Finzi, Qiu, Jiang, Izmailov, Kolter and Wilson, "From Entropy to Epiplexity" (arXiv 2601.03220). Among the programs that compute
and sample probabilities within a time T, take the one with the shortest two-part code of the data X. Its own length is the
epiplexity S_T(X), here called structure; the length of the data under it, E[log 1/P(X)], is the time-bounded entropy H_T(X),
here called noise. X is the whole data set, with a given number of test tokens.

The paper estimates the length of a trained model from its training:

- prequential (Eq. 8): |P| = sum_i [log 1/P_i(Z_i) - log 1/P_M(Z_i)], the area of the online loss curve above its final loss.
  The estimate holds for one epoch over independent samples, and is too high.
- requential (Eq. 9), for a student that learns from samples of a teacher: |P| = sum_i [KL_i + log2(1 + KL_i) + 4] bits, one
  message per step. Qiu et al., "Requential Coding" (arXiv 2607.11883, Eq. 2) use KL_i + 2 log2(1 + KL_i) + 5.21, which a
  decoder can read without knowing KL_i. Both papers report the plain sum of KL_i, because the rest is negligible for large
  batches.

S_T is read off the lower convex hull of (T, |P| + H) over all checkpoints of models of several sizes, one median point per
model, with T = 6 N D + 2 N (test tokens) in FLOPs. The authors' code computes the area by the trapezoid rule; Eq. 8 is the sum.
We end the hull at its lowest point, because more time never makes the best code longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from epf.entropy.core.information import FloatArray, IntArray

AreaRule = Literal["trapezoid", "sum"]
"""How the area of a loss curve is computed. trapezoid: losses are values at the points, and the area starts at the first one.
sum: each loss is the mean over the tokens since the previous point."""

NATS_PER_BIT = float(np.log(2.0))
KAPPA_BITS = 5.21


@dataclass(frozen=True, slots=True)
class Requential:
    """Length of a student model after each step, ``(m,)``, in nats.

    Attributes:
        kl: plain sum of the divergences.
        coded: length including the overhead of the epiplexity paper.
        coded_universal: length including the overhead of the later paper, whose messages need no side information.
    """

    kl: FloatArray
    coded: FloatArray
    coded_universal: FloatArray


@dataclass(frozen=True, slots=True)
class TwoPart:
    """Two-part codes by the checkpoints of one model, each ``(m,)`` in nats; NaN if a value is not known.

    Attributes:
        compute: FLOPs of training up to the checkpoint and of evaluating the data set.
        structure: length of the model.
        noise: length of the data set given the model.
    """

    compute: FloatArray
    structure: FloatArray
    noise: FloatArray

    @property
    def total(self) -> FloatArray:
        """Length of the two-part code."""
        return self.structure + self.noise


@dataclass(frozen=True, slots=True)
class Point:
    """A point on the frontier: checkpoint ``index`` of the model with number ``model``."""

    model: int
    index: int


def prequential(tokens: FloatArray, loss: FloatArray, *, rule: AreaRule = "trapezoid") -> FloatArray:
    """Length of the model after each point, ``(m,)``: the area up to it, above its loss, in the unit of the loss.

    ``tokens``, ``(m,)``, are increasing numbers of training tokens; ``loss``, ``(m,)``, is the loss per token before the model
    was trained on them.
    """
    return _area(tokens, loss, rule) - loss * _width(tokens, rule)


def prequential_above(tokens: FloatArray, loss: FloatArray, final_loss: float, *, rule: AreaRule = "trapezoid") -> float:
    """Length of the final model, whose loss on unseen data is ``final_loss``."""
    return float(_area(tokens, loss, rule)[-1] - final_loss * _width(tokens, rule)[-1])


def _width(tokens: FloatArray, rule: AreaRule) -> FloatArray:
    return tokens - tokens[0] if rule == "trapezoid" else tokens


def _area(tokens: FloatArray, loss: FloatArray, rule: AreaRule) -> FloatArray:
    """Area under the curve up to each point, ``(m,)``."""
    if rule == "sum":
        return np.cumsum(loss * np.diff(tokens, prepend=0.0))
    return np.concatenate(([0.0], np.cumsum((loss[1:] + loss[:-1]) / 2.0 * np.diff(tokens))))


def requential(kl: FloatArray) -> Requential:
    """Length of a student after each step, from KL(teacher || student) over the batch of each step, in nats."""
    bits = kl / NATS_PER_BIT
    return Requential(
        kl=np.cumsum(kl),
        coded=np.cumsum(bits + np.log2(1.0 + bits) + 4.0) * NATS_PER_BIT,
        coded_universal=np.cumsum(bits + 2.0 * np.log2(1.0 + bits) + KAPPA_BITS) * NATS_PER_BIT,
    )


def flops(parameters: float, tokens: FloatArray | float, test_tokens: float) -> FloatArray:
    """Time bound T = 6 N D + 2 N (test tokens): a decoder replays the training on D tokens, then evaluates the data set."""
    return np.asarray(parameters * (6.0 * np.asarray(tokens) + 2.0 * test_tokens))


def lower_hull(compute: FloatArray, total: FloatArray) -> IntArray:
    """Indices of the lower convex hull of the points by rising compute, from the cheapest point to the lowest one."""
    order = np.lexsort((total, compute))
    best = np.minimum.accumulate(total[order])
    falling = order[np.concatenate(([True], total[order][1:] < best[:-1]))]
    hull: list[int] = []
    for i in map(int, falling):
        while len(hull) > 1 and _is_above(compute, total, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return np.array(hull, dtype=np.intp)


def _is_above(x: FloatArray, y: FloatArray, a: int, b: int, c: int) -> bool:
    """Whether point b lies on the line from a to c or above it."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))


def frontier(codes: Sequence[TwoPart]) -> list[Point]:
    """The best codes by rising compute: for each model on the hull over all checkpoints, the median of its points."""
    model = np.repeat(np.arange(len(codes)), [code.total.size for code in codes])
    index = np.concatenate([np.arange(code.total.size) for code in codes])
    compute = np.concatenate([code.compute for code in codes])
    total = np.concatenate([code.total for code in codes])
    known = np.flatnonzero(np.isfinite(compute) & np.isfinite(total))
    if known.size == 0:
        return []
    on_hull: dict[int, list[int]] = {}
    for i in known[lower_hull(compute[known], total[known])]:
        on_hull.setdefault(int(model[i]), []).append(int(i))
    medians = sorted((indices[(len(indices) - 1) // 2] for indices in on_hull.values()), key=lambda i: float(compute[i]))
    return [Point(int(model[i]), int(index[i])) for i in medians]
