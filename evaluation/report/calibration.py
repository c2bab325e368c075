"""How well the reward model's scores say how a solution ends, by the step after which they were given."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epf.evaluation.report.statistics import Interval, difference
from epf.evaluation.rows import Row, Traced

FEWEST = 20
"""A depth that fewer problems reach is left out."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Scores after step ``depth``, 1-based.

    Attributes:
        n_problems, n_solutions: that got so far.
        mean_score: what the reward model says.
        ended_right: share of those solutions that end with the right answer.
        overconfidence: mean score less that share, each problem counted once.
    """

    depth: int
    n_problems: int
    n_solutions: int
    mean_score: float
    ended_right: float
    overconfidence: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """``selected``: the solutions are what resampling by these very scores left over, so more of them are right than of all."""

    selected: bool
    depths: tuple[Depth, ...]


def calibration(rows: Sequence[Row]) -> Calibration | None:
    """By depth, from searches of one particle, which select nothing; without such searches from all. None without scores.

    A solution that several searches of one problem and seed ended with is counted once.
    """
    alone = [row for row in rows if row.budget == 1 and row.traced]
    found: dict[str, set[tuple[int, Traced]]] = defaultdict(set)
    for row in alone or rows:
        for traced in row.traced:
            found[row.problem].add((row.seed, Traced(1, traced.right, traced.scores)))
    deepest = max((len(traced.scores) for solutions in found.values() for _, traced in solutions), default=0)
    depths = [
        _depth(depth, [[t for _, t in s if len(t.scores) >= depth] for s in found.values()]) for depth in range(1, deepest + 1)
    ]
    reached = tuple(depth for depth in depths if depth is not None)
    return Calibration(not alone, reached) if reached else None


def _depth(depth: int, by_problem: Sequence[Sequence[Traced]]) -> Depth | None:
    there = [solutions for solutions in by_problem if solutions]
    if len(there) < FEWEST:
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
    )
