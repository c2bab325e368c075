"""Plackett-Luce distillation (PLD): how well a small verifier copies a large one's ranking, with the right candidate first.

Bassam, Zhu and Bian, "PLD: A Choice-Theoretic List-Wise Knowledge Distillation" (arXiv 2506.12542). A student that repeatedly
chooses by the softmax of its logits s among the remaining candidates draws a ranking with the Plackett-Luce probability. PLD is
the negative log probability that it draws pi*, the right candidate y first and the others in the teacher's order, where each
choice is weighted by the teacher's probability of the candidate:

    L = sum_k alpha_k [ln sum_{l >= k} exp(s_{pi*_l}) - s_{pi*_k}],   alpha = softmax(t / tau) in the order of pi*.

The loss, its gradient and the weights are the paper's; tau softens only the weights, never the student. Equal teacher logits
keep the order of the candidates (a stable sort). The other measures are ours: Kullback-Leibler divergence, agreement on the
best candidate, Kendall's tau-b, and the first rank at which the student prefers another candidate. They compare the student
with the goal, which is the teacher's logits with the right candidate raised above all others; between candidates that are equal
in the goal, the student may choose freely.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epf.entropy.core.information import FloatArray, IntArray, kl_of_logs, log_softmax
from epf.entropy.ranking.kendall import kendall_tau


@dataclass(frozen=True, slots=True)
class Ranking:
    """Comparison of student and teacher on n problems with c candidates each.

    Attributes:
        loss: PLD in nats, ``(n,)``.
        contributions: contribution of each rank to the loss, ``(n, c)``; the last is always 0.
        gradient: gradient of the loss with respect to the student's logits, in the candidates' original order, ``(n, c)``; each
            row sums to 0.
        order: candidates in the order pi*, ``(n, c)``.
        kl: KL(softmax(t / tau) || softmax(s)) in nats, ``(n,)``.
        decided: whether the goal distinguishes any candidates, ``(n,)``; otherwise every ranking agrees with it.
        same_best: whether the student puts one of the goal's best candidates above all others, ``(n,)``.
        kendall_tau: rank correlation tau-b of student and goal, in [-1, 1], ``(n,)``; 0 if the student's logits are all equal.
        diverges_at: first rank, from 0, whose candidate the student does not put above all lower ones, ``(n,)``; c if there is
            no such rank.
    """

    loss: FloatArray
    contributions: FloatArray
    gradient: FloatArray
    order: IntArray
    kl: FloatArray
    decided: NDArray[np.bool_]
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
    """Compares student and teacher, logits ``(n, c)`` with c >= 1; candidate ``right``, ``(n,)``, must come first."""
    order = target_order(teacher, right)
    # Only differences of the student's logits count; relative to the largest, they lose no digits.
    student = np.asarray(student, dtype=np.float64)
    s = np.take_along_axis(student - student.max(axis=1, keepdims=True), order, axis=1)
    log_q = log_softmax(np.asarray(teacher) / tau)
    log_alpha = np.take_along_axis(log_q, order, axis=1)
    alpha = np.exp(log_alpha)
    # ln of the sum over the candidates that remain at rank k, accumulated from the last rank.
    log_left = np.logaddexp.accumulate(s[:, ::-1], axis=1)[:, ::-1]
    contributions = alpha * (log_left - s)
    # The gradient at rank j is sum_{k <= j} alpha_k exp(s_j - log_left_k) - alpha_j, summed in log space.
    log_pull = s + np.logaddexp.accumulate(log_alpha - log_left, axis=1)
    gradient = np.empty_like(s)
    np.put_along_axis(gradient, order, np.exp(log_pull) - alpha, axis=1)
    goal = np.array(teacher, dtype=np.float64)
    rows, best = np.arange(len(goal)), goal.max(axis=1)
    goal[rows, right] = np.where(goal[rows, right] < best, best + 1.0 + np.abs(best), best)
    goal_in_order = np.take_along_axis(goal, order, axis=1)
    follows = s > _best_of_lower(s, goal_in_order)
    return Ranking(
        loss=contributions.sum(axis=1),
        contributions=contributions,
        gradient=gradient,
        order=order,
        kl=kl_of_logs(log_q, log_softmax(student)),
        decided=goal_in_order[:, 0] > goal_in_order[:, -1],
        same_best=(follows & (goal_in_order == goal_in_order[:, :1])).any(axis=1),
        kendall_tau=kendall_tau(student, goal),
        diverges_at=np.where(follows.all(axis=1), s.shape[1], follows.argmin(axis=1)),
    )


def _best_of_lower(s: FloatArray, goal: FloatArray) -> FloatArray:
    """For each candidate the student's highest logit among those with a lower goal, ``(n, c)``; -inf without such candidates.

    Both arrays are in the order of falling ``goal``.
    """
    n, c = s.shape
    after = np.full((n, c + 1), -np.inf)
    after[:, :c] = np.maximum.accumulate(s[:, ::-1], axis=1)[:, ::-1]
    # The next lower goal begins at the nearest fall to the right.
    falls = np.full((n, c), c)
    falls[:, :-1] = np.where(goal[:, 1:] < goal[:, :-1], np.arange(1, c), c)
    return np.take_along_axis(after, np.minimum.accumulate(falls[:, ::-1], axis=1)[:, ::-1], axis=1)
