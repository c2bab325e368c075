r"""How much a score is worth at each depth: the slope of "ends right" on its log odds, within a problem.

A filter compares particles of one problem, so what all of them share cancels out of its weights: the difficulty of the problem,
and an over-confidence that adds the same to every score. The slope that matters is that of a conditional logistic regression
(Breslow & Day 1980, chapter 7). Given that m of the n independent solutions of a problem end right, these are the set R with
probability

    exp(b_t sum_R l) / sum over all sets S of m solutions of exp(b_t sum_S l),

where l is the log odds of the score after step t. A slope b_t of 1 is calibrated, 0 is noise.

Deep steps are rare, so slopes are shrunk to a smooth curve: a priori the slope changes by :data:`JUMP` (a standard deviation)
from one depth to the next, and lies around 1 with the standard deviation :data:`WIDTH`, which matters only without data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from epf.search.smc.weights import FloatArray, IntArray, logit

JUMP = 0.3
WIDTH = 1.0

ITERATIONS = 100
TOLERANCE = 1e-9

Solution = tuple[bool, Sequence[float]]
"""Whether an independent solution ends right, and its scores in [0, 1], one after each step."""


@dataclass(frozen=True, slots=True)
class DepthSlopes:
    """Slopes by depth, from the first step on.

    Attributes:
        slopes: not negative, ``(depths,)``.
        n_problems: number of problems with right and wrong solutions at each depth, ``(depths,)``; at least one.
    """

    slopes: tuple[float, ...]
    n_problems: tuple[int, ...]

    def __str__(self) -> str:
        """A sentence for people."""
        listed = " ".join(f"{slope:.2f}" for slope in self.slopes)
        return f"Slope of the score within a problem, by depth (1 is calibrated, 0 is noise): {listed}."


class Groups(NamedTuple):
    """Solutions of ``p`` problems at one depth.

    Attributes:
        log_odds: ``(p, n)``, the right ones first; -inf beyond the number of solutions of a problem. Only differences within a
            problem matter: the mean of its m largest is 0.
        n_right: m of each problem, ``(p,)``.
    """

    log_odds: FloatArray
    n_right: IntArray


def slope_by_depth(problems: Sequence[Sequence[Solution]]) -> DepthSlopes | None:
    """Fit the slopes to independent solutions of several problems.

    Returns None if no problem has both a right and a wrong solution. Depths end where that is so.
    """
    depths: list[Groups] = []
    while (groups := _groups(problems, 1 + len(depths))) is not None:
        depths.append(groups)
    if not depths:
        return None
    return DepthSlopes(tuple(np.maximum(fit_slopes(depths), 0.0).tolist()), tuple(each.n_right.size for each in depths))


def fit_slopes(depths: Sequence[Groups]) -> FloatArray:
    """Most probable slopes, ``(depths,)``, by Newton's method with halved steps where it overshoots."""
    n = len(depths)
    steps = np.diff(np.eye(n), axis=0) / JUMP
    prior = steps.T @ steps + np.eye(n) / WIDTH**2

    def fit(b: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Loss, its gradient ``(depths,)`` and curvature ``(depths, depths)``."""
        value, first, second = np.array([misfit(groups, slope) for groups, slope in zip(depths, b, strict=True)]).T
        away = prior @ (b - 1.0)
        return float(value.sum() + 0.5 * (b - 1.0) @ away), first + away, np.diag(second) + prior

    b = np.ones(n)
    loss, gradient, curvature = fit(b)
    for _ in range(ITERATIONS):
        step = np.linalg.solve(curvature, gradient)
        while not (after := fit(b - step))[0] <= loss and np.abs(step).max() > TOLERANCE:
            step = step / 2
        b = b - step
        loss, gradient, curvature = after
        if np.abs(step).max() < TOLERANCE:
            break
    return b


def misfit(groups: Groups, slope: float) -> tuple[float, float, float]:
    """Minus the conditional log likelihood of a slope, and its first and second derivative.

    The sum over sets is an elementary symmetric polynomial, built up one solution at a time.
    """
    p, n = groups.log_odds.shape
    there = np.isfinite(groups.log_odds)
    logits = np.where(there, groups.log_odds, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # a slope that overflows is no better than the one before it
        x = np.where(there, np.exp(slope * logits), 0.0)
        e, e1, e2 = (np.zeros((p, int(groups.n_right.max()) + 1)) for _ in range(3))
        e[:, 0] = 1.0
        for j in range(n):
            x0, l0 = x[:, j, None], logits[:, j, None]
            e2[:, 1:] += x0 * (l0**2 * e[:, :-1] + 2 * l0 * e1[:, :-1] + e2[:, :-1])
            e1[:, 1:] += x0 * (l0 * e[:, :-1] + e1[:, :-1])
            e[:, 1:] += x0 * e[:, :-1]
        sums, firsts, seconds = (np.take_along_axis(each, groups.n_right[:, None], axis=1)[:, 0] for each in (e, e1, e2))
        mean = firsts / sums
        of_right = np.where(np.arange(n) < groups.n_right[:, None], logits, 0.0).sum(axis=1)
        value = (np.log(sums) - slope * of_right).sum()
        return float(value), float((mean - of_right).sum()), float((seconds / sums - mean**2).sum())


def _groups(problems: Sequence[Sequence[Solution]], depth: int) -> Groups | None:
    """Solutions after step ``depth`` of the problems that have right and wrong ones there; None without such a problem."""
    found: list[FloatArray] = []
    n_right: list[int] = []
    for solutions in problems:
        there = [(is_right, scores[depth - 1]) for is_right, scores in solutions if len(scores) >= depth]
        right, wrong = ([score for is_right, score in there if is_right == kind] for kind in (True, False))
        if right and wrong:
            log_odds = logit([*right, *wrong])
            found.append(log_odds - np.sort(log_odds)[-len(right) :].mean())
            n_right.append(len(right))
    if not found:
        return None
    padded = np.full((len(found), max(each.size for each in found)), -np.inf)
    for row, each in zip(padded, found, strict=True):
        row[: each.size] = each
    return Groups(padded, np.array(n_right))
