"""Trials whose every outcome is known: how often each way to search is right."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from epf.evaluation.profile.trials import Candidate
from epf.evaluation.report.statistics import FloatArray
from epf.evaluation.slope_by_depth import Solution

Accuracy = Callable[[Candidate], float]


class Table:
    """``accuracy`` of a candidate is its probability to be right on a problem; problems and seeds are independent.

    Attributes:
        calls: names of the candidates, number of problems and of seeds of each comparison.
        searched: number of searches, repetitions not counted.
    """

    def __init__(self, n_problems: int, accuracy: Accuracy, *, solvable: bool = True, seed: int = 0) -> None:
        self.n_problems = n_problems
        self.calls: list[tuple[list[str], range, int]] = []
        self._accuracy = accuracy
        self._solvable = solvable
        self._seed = seed
        self._done: dict[tuple[str, int, int], bool] = {}

    @property
    def searched(self) -> int:
        return len(self._done)

    async def sample(self, problems: range, n: int) -> Sequence[Sequence[Solution]]:
        """Solutions of two steps, every third right; the second score separates them, the first does not."""
        return [[(self._solvable and i % 3 == 0, (0.5, 0.6 if i % 3 == 0 else 0.4)) for i in range(n)] for _ in problems]

    async def search(self, candidates: Sequence[Candidate], problems: range, n_seeds: int) -> Mapping[str, FloatArray]:
        self.calls.append(([one.name for one in candidates], problems, n_seeds))
        return {
            one.name: np.array([np.mean([self._right(one, problem, seed) for seed in range(n_seeds)]) for problem in problems])
            for one in candidates
        }

    def _right(self, candidate: Candidate, problem: int, seed: int) -> bool:
        key = candidate.name, problem, seed
        if key not in self._done:
            rng = np.random.default_rng([self._seed, problem, seed, *candidate.name.encode()])
            self._done[key] = bool(rng.random() < self._accuracy(candidate))
        return self._done[key]
