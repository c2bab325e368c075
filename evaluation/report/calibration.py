"""How well the reward model's scores predict whether a solution ends right, by the step after which they were given."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.report.statistics import Interval, difference
from epf.evaluation.rows import Row, ScoredSolution
from epf.evaluation.slope_by_depth import DepthSlopes, slope_by_depth
from epf.evaluation.unselected import independent_solutions

MIN_PROBLEMS = 20
"""A depth that fewer problems reach is left out."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Scores after step ``depth``, 1-based.

    Attributes:
        n_problems, n_solutions: number of problems and solutions that reach this depth.
        mean_score: mean score over problems.
        ended_right: share of the solutions that end with the right answer, also as a mean over problems.
        overconfidence: mean score minus that share.
        slope: how much the score is worth within a problem (:mod:`epf.evaluation.slope_by_depth`); None without independent
            solutions of one problem, right and wrong ones.
    """

    depth: int
    n_problems: int
    n_solutions: int
    mean_score: float
    ended_right: float
    overconfidence: Interval
    slope: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores and outcomes by depth.

    Attributes:
        selected: resampling by these scores selected the solutions, so a larger share of them is right than of all solutions.
        depths: from the first step to the deepest that enough problems reach.
    """

    selected: bool
    depths: tuple[Depth, ...]


def calibration(rows: Sequence[Row]) -> Calibration | None:
    """Calibration by depth from searches with one particle, which select nothing, or without such searches from all.

    Returns None if there are no scores. A solution of several searches of one problem and seed counts once.
    """
    alone = [row for row in rows if row.budget == 1 and row.traced]
    found: dict[str, set[tuple[int, ScoredSolution]]] = defaultdict(set)
    for row in alone or rows:
        for traced in row.traced:
            found[row.problem].add((row.seed, ScoredSolution(1, traced.right, traced.scores)))
    slopes = slope_by_depth(independent_solutions(rows))
    deepest = max((len(traced.scores) for solutions in found.values() for _, traced in solutions), default=0)
    depths = [
        _depth(depth, [[t for _, t in s if len(t.scores) >= depth] for s in found.values()], slopes)
        for depth in range(1, deepest + 1)
    ]
    reached = tuple(depth for depth in depths if depth is not None)
    return Calibration(not alone, reached) if reached else None


def _depth(depth: int, by_problem: Sequence[Sequence[ScoredSolution]], slopes: DepthSlopes | None) -> Depth | None:
    there = [solutions for solutions in by_problem if solutions]
    if len(there) < MIN_PROBLEMS:
        return None
    scores = np.array([np.mean([traced.scores[depth - 1] for traced in solutions]) for solutions in there])
    right = np.array([np.mean([traced.right for traced in solutions]) for solutions in there])
    return Depth(
        depth=depth,
        n_problems=len(there),
        n_solutions=sum(len(solutions) for solutions in there),
        mean_score=float(scores.mean()),
        ended_right=float(right.mean()),
        overconfidence=difference(scores - right),
        slope=None if slopes is None or depth > len(slopes.slopes) else slopes.slopes[depth - 1],
    )
