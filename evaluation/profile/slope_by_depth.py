r"""How much a score is worth at each depth: the slope of "ends right" on its log odds, within a problem.

A filter compares particles of one problem, so what all of them share cancels out of its weights: the difficulty of the problem,
and an over-confidence that adds the same to every score. The slope that matters is that of a conditional logistic regression.
Of two independent solutions of a problem, of which exactly one ends right, it is the right one with probability

    sigmoid(b_t (l_right - l_wrong)),

where l is the log odds of the score after step t. A slope b_t of 1 is calibrated, 0 is noise. All pairs of a right and a wrong
solution are compared, each with weight 1/n, n the number of the problem's solutions at that depth, since pairs that share a
solution are not independent evidence.

Deep steps are rare, so slopes are shrunk to a smooth curve: a priori the slope changes by :data:`JUMP` (a standard deviation)
from one depth to the next, and lies around 1 with the standard deviation :data:`WIDTH`, which matters only without data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.search.smc.weights import FloatArray, logit

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


def slope_by_depth(problems: Sequence[Sequence[Solution]]) -> DepthSlopes | None:
    """Fit the slopes to independent solutions of several problems.

    Returns None if no problem has both a right and a wrong solution. Depths end where that is so.
    """
    differences, weights, n_problems = [], [], []
    deepest = max((len(scores) for solutions in problems for _, scores in solutions), default=0)
    for depth in range(1, deepest + 1):
        found = [pair for solutions in problems if (pair := _comparisons(solutions, depth)) is not None]
        if not found:
            break
        differences.append(np.concatenate([difference for difference, _ in found]))
        weights.append(np.concatenate([np.full(difference.size, weight) for difference, weight in found]))
        n_problems.append(len(found))
    if not differences:
        return None
    return DepthSlopes(tuple(np.maximum(fit_slopes(differences, weights), 0.0).tolist()), tuple(n_problems))


def fit_slopes(differences: Sequence[FloatArray], weights: Sequence[FloatArray]) -> FloatArray:
    """Most probable slopes, ``(depths,)``, by Newton's method with halved steps where it overshoots.

    Args:
        differences: log odds of a right minus those of a wrong solution, one array for each depth.
        weights: weight of each comparison, in the same shapes.
    """
    n = len(differences)
    steps = np.diff(np.eye(n), axis=0) / JUMP
    prior = steps.T @ steps + np.eye(n) / WIDTH**2

    def loss(b: FloatArray) -> float:
        pairs = zip(b, differences, weights, strict=True)
        misfit = sum(float(w @ np.logaddexp(0.0, -slope * d)) for slope, d, w in pairs)
        return misfit + 0.5 * float((b - 1.0) @ prior @ (b - 1.0))

    b = np.ones(n)
    for _ in range(ITERATIONS):
        wrong = [0.5 * (1.0 - np.tanh(0.5 * slope * d)) for slope, d in zip(b, differences, strict=True)]
        slope_terms = [-float(w @ (d * p)) for d, w, p in zip(differences, weights, wrong, strict=True)]
        curvature = [float(w @ (d**2 * p * (1.0 - p))) for d, w, p in zip(differences, weights, wrong, strict=True)]
        step = np.linalg.solve(np.diag(curvature) + prior, np.array(slope_terms) + prior @ (b - 1.0))
        while loss(b - step) > loss(b) and np.abs(step).max() > TOLERANCE:
            step = step / 2
        b = b - step
        if np.abs(step).max() < TOLERANCE:
            break
    return b


def _comparisons(solutions: Sequence[Solution], depth: int) -> tuple[FloatArray, float] | None:
    """Log odds of each right minus each wrong solution after step ``depth``, and their weight; None without a pair."""
    there = [(right, scores[depth - 1]) for right, scores in solutions if len(scores) >= depth]
    right, wrong = (logit([score for is_right, score in there if is_right == kind]) for kind in (True, False))
    if not right.size or not wrong.size:
        return None
    return (right[:, None] - wrong[None, :]).ravel(), 1.0 / len(there)
