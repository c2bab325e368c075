"""Choose one answer from weighted particles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from epf.search.options import AnswerSelection
from epf.search.result import AnswerShare


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen answer and what the particles say of it.

    Attributes:
        answer: as the best particle wrote it.
        particle: index of the heaviest particle with that answer, in 0..n-1.
        confidence: share of the answer's class in ``distribution``, in [0, 1].
        distribution: every class, most probable first; probabilities sum to one.
        entropy: of ``distribution``, in nats.
    """

    answer: str
    particle: int
    confidence: float
    distribution: tuple[AnswerShare, ...]
    entropy: float


def choose(
    answers: Sequence[str | None],
    classes: Sequence[int],
    log_weights: ArrayLike,
    selection: AnswerSelection,
    rng: np.random.Generator,
) -> Choice | None:
    """Choose an answer; None when no particle has a vote.

    Args:
        answers: of each particle, ``(n,)``; None has no vote.
        classes: class of each answer, ``(n,)``, from ``AnswerChecker.classes``; ignored where the answer is None.
        log_weights: untempered, ``(n,)``; -inf has no vote. The largest finite ones may be far below zero.
        selection: ``weighted_vote`` takes the class with the largest sum of weights, and so does ``probability_vote``, whose
            weights are probabilities; ``majority`` the one with the most particles, ``argmax`` the answer of the heaviest
            particle, ``sample`` the answer of a particle drawn by weight.
        rng: used by ``sample`` only, one draw.

    The distribution is by weight, for ``majority`` by count. Ties go to the class with the heavier best particle, then to the
    one whose best particle has the lower index.
    """
    log_w = np.asarray(log_weights, dtype=np.float64)
    assert log_w.shape == (len(answers),) == (len(classes),), "one answer, class and weight per particle"
    assert (log_w < np.inf).all(), "log weights are finite or -inf, never NaN"
    voters = [i for i, answer in enumerate(answers) if answer is not None and log_w[i] > -np.inf]
    if not voters:
        return None
    weights = np.exp(log_w[voters] - log_w[voters].max())
    weights /= weights.sum()

    members: dict[int, list[int]] = {}
    for position, i in enumerate(voters):
        members.setdefault(classes[i], []).append(position)
    shares: list[tuple[AnswerShare, int]] = []
    for positions in members.values():
        best = min((voters[p] for p in positions), key=lambda i: (-log_w[i], i))
        probability = len(positions) / len(voters) if selection == "majority" else math.fsum(weights[positions])
        answer = answers[best]
        assert answer is not None
        shares.append((AnswerShare(answer, min(probability, 1.0), len(positions)), best))
    shares.sort(key=lambda share: (-share[0].probability, -log_w[share[1]], share[1]))

    if selection in ("weighted_vote", "probability_vote", "majority"):
        chosen = 0
    else:
        if selection == "argmax":
            particle = min(voters, key=lambda i: (-log_w[i], i))
        else:
            particle = voters[rng.choice(len(voters), p=weights)]
        chosen = next(k for k, (_, best) in enumerate(shares) if classes[best] == classes[particle])
    share, best = shares[chosen]
    distribution = tuple(share for share, _ in shares)
    entropy = -math.fsum(s.probability * math.log(s.probability) for s in distribution if s.probability > 0)
    return Choice(share.answer, best, share.probability, distribution, max(0.0, entropy))
