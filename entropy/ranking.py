"""Plackett-Luce distillation (PLD): how well a small verifier copies a big one's ranking, with the right candidate first.

Bassam, Zhu and Bian, "PLD: A Choice-Theoretic List-Wise Knowledge Distillation" (arXiv 2506.12542). A student that chooses by
the softmax of its logits s, again and again among what is left, draws a ranking with the Plackett-Luce probability. PLD is the
negative log of the probability that it draws pi*, the right candidate y first and the others as the teacher ranks them, each
choice weighted by what the teacher thinks of the candidate:

    L = sum_k alpha_k [ln sum_{l >= k} exp(s_{pi*_l}) - s_{pi*_k}],   alpha = softmax(t / tau) in the order of pi*.

The loss, its gradient and the weights are the paper's; only the weights are softened by tau, never the student. Equal teacher
logits keep the order of the candidates (a stable sort). What is measured beside the loss is ours: Kullback-Leibler divergence,
agreement on the best, Kendall's tau-b, and the first rank at which the student's choice is another.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entropy.core import FloatArray, IntArray, kl, log_softmax
from entropy.kendall import kendall_tau


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of n problems with c candidates each.

    Attributes:
        loss: PLD in nats, ``(n,)``.
        contributions: what each rank adds to it, ``(n, c)``; the last is always 0.
        gradient: of the loss by the student's logits in the candidates' own order, ``(n, c)``; each row sums to 0.
        order: candidates in the order pi*, ``(n, c)``.
        kl: KL(softmax(t / tau) || softmax(s)) in nats, ``(n,)``.
        same_best: the student puts the first of pi* above all others, ``(n,)``.
        kendall_tau: rank correlation tau-b of student and pi*, in [-1, 1], ``(n,)``; 0 if the student cannot tell any apart.
        diverges_at: first rank, from 0, whose candidate the student does not put above all that are left, ``(n,)``; c if none.
    """

    loss: FloatArray
    contributions: FloatArray
    gradient: FloatArray
    order: IntArray
    kl: FloatArray
    same_best: NDArray[np.bool_]
    kendall_tau: FloatArray
    diverges_at: IntArray


def target_order(teacher: FloatArray, right: IntArray) -> IntArray:
    """The ranking pi*, ``(n, c)``: candidate ``right``, ``(n,)``, first, the others by falling teacher logits."""
    rows = np.arange(len(teacher))
    first = np.array(teacher, dtype=np.float64)
    first[rows, right] = np.inf
    return np.argsort(-first, axis=1, kind="stable")


def ranking(student: FloatArray, teacher: FloatArray, right: IntArray, *, tau: float = 1.0) -> Ranking:
    """Student against teacher, logits ``(n, c)`` with c >= 1; ``right``, ``(n,)``, is the candidate that must come first."""
    order = target_order(teacher, right)
    s = np.take_along_axis(np.asarray(student, dtype=np.float64), order, axis=1)
    log_q = log_softmax(np.asarray(teacher) / tau)
    log_alpha = np.take_along_axis(log_q, order, axis=1)
    alpha = np.exp(log_alpha)
    # ln of the sum over what is left at rank k, built up from the last rank.
    log_left = np.logaddexp.accumulate(s[:, ::-1], axis=1)[:, ::-1]
    contributions = alpha * (log_left - s)
    # The gradient at rank j is sum_{k <= j} alpha_k exp(s_j - log_left_k) - alpha_j, summed in log space.
    log_pull = s + np.logaddexp.accumulate(log_alpha - log_left, axis=1)
    gradient = np.empty_like(s)
    np.put_along_axis(gradient, order, np.exp(log_pull) - alpha, axis=1)
    best_after = np.full_like(s, -np.inf)
    best_after[:, :-1] = np.maximum.accumulate(s[:, :0:-1], axis=1)[:, ::-1]
    differs = s <= best_after
    return Ranking(
        loss=contributions.sum(axis=1),
        contributions=contributions,
        gradient=gradient,
        order=order,
        kl=kl(np.exp(log_q), np.exp(log_softmax(student))),
        same_best=~differs[:, 0],
        kendall_tau=kendall_tau(-s),
        diverges_at=np.where(differs.any(axis=1), differs.argmax(axis=1), s.shape[1]),
    )
