"""The entropy change from reinforcing a token, which opens or collapses the policy, and STEER's weight of each token.

Hao, Wang, Liu et al., "Rethinking Entropy Interventions in RLVR: An Entropy Change Perspective" (STEER, arXiv 2510.10150). A
token is sampled with probability pi from a distribution of entropy H, with advantage A and ratio r = pi / pi_old. One step of
policy gradient changes the entropy of that distribution, per unit of learning rate, by

    theorem    - I A r pi (1 - pi) (ln pi + H)                                 only the logit of the sampled token moves
    full       - I A r [pi (ln pi + H) - sum_j pi_j^2 (ln pi_j + H)]           all logits move, as they do in a softmax
    released   - A / pi_old  pi (1 - pi) (ln pi + H)                           one factor pi less than the theorem, and no I

I is 0 where the clipping of PPO stops the gradient, otherwise 1. Reinforcing a token with ln pi > -H collapses the policy,
reinforcing a rarer one opens it, and a negative advantage has the opposite effect.

The theorem's form is the paper's, known to us from a faithful re-implementation. ``released`` is the formula in the authors'
code, with the opposite sign so that it is a change as well. ``full``, and the bounds on the entropy if only the most likely
tokens are known, are ours.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray, IntArray, log_softmax, p_log_p

Form = Literal["theorem", "released", "full"]
WeightMap = Literal["linear", "exponential"]

SCALE_FLOOR = 0.02
"""Minimum of the largest change, which is the scale of exponential weights, as in the released code."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """n sampled tokens; all arrays are ``(n,)``.

    Attributes:
        log_p: ln pi, at most 0.
        entropy: H of the distribution from which the token was sampled, in nats.
        spread: sum_j pi_j^2 (ln pi_j + H) over the whole distribution; None if only the sampled token's probability is known.
    """

    log_p: FloatArray
    entropy: FloatArray
    spread: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """Clipping of PPO: the gradient stops at ratios above 1 + ``high`` for A > 0 and below 1 - ``low`` for A < 0."""

    low: float = 0.2
    high: float = 0.28

    def stops(self, log_ratio: FloatArray, advantage: FloatArray) -> NDArray[np.bool_]:
        """Where the gradient stops, ``(n,)``."""
        ratio = np.exp(log_ratio)
        return np.asarray(((advantage > 0) & (ratio > 1 + self.high)) | ((advantage < 0) & (ratio < 1 - self.low)))


def drawn_from(logits: FloatArray, chosen: IntArray) -> Drawn:
    """Tokens ``chosen``, ``(n,)``, from complete distributions given as logits ``(n, k)``."""
    log_p = log_softmax(logits)
    p = np.exp(log_p)
    h = np.maximum(0.0, -p_log_p(p).sum(axis=1))
    return Drawn(log_p[np.arange(len(p)), chosen], h, (p**2 * (log_p + h[:, None])).sum(axis=1))


def entropy_change(drawn: Drawn, advantage: FloatArray, log_ratio: FloatArray, *, form: Form, clip: Clip) -> FloatArray:
    """Entropy change per unit of learning rate, ``(n,)``; negative if the policy collapses.

    ``log_ratio`` is ln pi - ln pi_old, 0 on policy. ``full`` is exact to first order in the learning rate; it raises
    ``ValueError`` without ``drawn.spread``. ``released`` ignores the clip.
    """
    surprise = drawn.log_p + drawn.entropy
    pushed = advantage * np.exp(log_ratio)
    p, rest = np.exp(drawn.log_p), -np.expm1(drawn.log_p)
    if form == "released":
        return np.asarray(-pushed * rest * surprise)
    flows = np.where(clip.stops(log_ratio, advantage), 0.0, pushed)
    if form == "theorem":
        return np.asarray(-flows * p * rest * surprise)
    if drawn.spread is None:
        raise ValueError("the full form needs complete distributions")
    return np.asarray(-flows * (p * surprise - drawn.spread))


def steer_weights(change: FloatArray, kind: WeightMap, *, low: float, high: float) -> FloatArray:
    """Weight of each token's loss, ``(n,)``, from the absolute changes of all n tokens, which are one batch.

    ``linear`` falls from ``high`` at the smallest change to ``low`` at the largest, and is midway between them if all changes
    are equal; ``exponential`` falls from 1 at a change of 0 to ``low`` at the largest.
    """
    size = np.abs(change)
    least, most = size.min(), size.max()
    if kind == "exponential":
        return np.asarray(np.clip(np.exp(np.log(low) * size / max(most, SCALE_FLOOR)), low, 1.0))
    if most == least:
        return np.full_like(size, (low + high) / 2)
    return np.asarray(high - (high - low) * ((size - least) / (most - least)))


def entropy_bounds(known: FloatArray, vocabulary: int | None) -> tuple[FloatArray, FloatArray | None]:
    """Minimum and maximum entropy, ``(n,)`` each, of distributions of which k log probabilities, ``(n, k)``, are known.

    Minimum: the remaining probability is on one more token. Maximum: it is spread evenly over the rest of the vocabulary; None
    if the size of the vocabulary is unknown.
    """
    p = np.exp(known)
    left = np.maximum(0.0, 1.0 - p.sum(axis=1))
    least = np.maximum(0.0, -p_log_p(p).sum(axis=1) - p_log_p(left))
    return least, None if vocabulary is None else least + left * np.log(max(1, vocabulary - known.shape[1]))
