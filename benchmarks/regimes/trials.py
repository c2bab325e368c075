"""Trials of the tuner in a world of this benchmark: options of a search become a filter of the product's kernel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.regimes.filters import Answer, Filter, run, solved
from epf.evaluation.profile.trials import Candidate
from epf.evaluation.slope_by_depth import Solution
from epf.search.methods.filtering import kernel_config
from epf.search.options import SearchOptions
from epf.search.smc.weights import FloatArray

ANSWERS: Mapping[str | None, Answer] = {None: "vote", "probability_vote": "vote", "weighted_vote": "weighted", "argmax": "best"}


class WorldTrials:
    """See :class:`epf.evaluation.profile.trials.Trials`; ``seed`` draws the problems and all that happens in them.

    Each problem is drawn by itself, so the world must draw new problems every time, which Countdown does not.
    """

    def __init__(self, world: Any, n_problems: int, seed: int) -> None:
        self.n_problems = n_problems
        self._world = world
        self._seed = seed
        self._solved: dict[tuple[str, int, int], float] = {}
        self.n_searches = 0

    async def sample(self, problems: range, n: int) -> Sequence[Sequence[Solution]]:
        """Free samples of each problem."""
        return [self._samples(problem, n) for problem in problems]

    async def search(self, candidates: Sequence[Candidate], problems: range, n_seeds: int) -> Mapping[str, FloatArray]:
        """Filter each problem with each candidate and seed."""
        return {
            one.name: np.array([np.mean([self._search(one, i, seed) for seed in range(n_seeds)]) for i in problems])
            for one in candidates
        }

    def _draw(self, problem: int) -> Any:
        return self._world.draw(1, np.random.default_rng([self._seed, problem]))

    def _samples(self, problem: int, n: int) -> list[Solution]:
        drawn, rng = self._draw(problem), np.random.default_rng([self._seed, problem, 0])
        particles, readings = drawn.start(n), []
        for t in range(1, self._world.n_steps + 1):
            particles = drawn.step(particles, t, rng)
            readings.append(particles.reading[0])
        scores = 1.0 / (1.0 + np.exp(-np.array(readings)))
        return list(zip(drawn.right(particles, rng)[0].tolist(), scores.T.tolist(), strict=True))

    def _search(self, candidate: Candidate, problem: int, seed: int) -> float:
        key = candidate.name, problem, seed
        if key not in self._solved:
            self.n_searches += 1
            options = SearchOptions(**candidate.options)
            n_steps = self._world.n_steps
            slopes = options.slopes or (1.0,)
            filter_ = Filter(
                kernel_config(options), lookahead=options.lookahead != "none", power=options.odds_power, calibrated=True
            )
            done = run(
                self._draw(problem),
                self._world,
                filter_,
                candidate.n_particles,
                np.random.default_rng([self._seed, problem, 1 + seed]),
                [slopes[min(depth, len(slopes) - 1)] for depth in range(n_steps)],
            )
            answer: Answer = "any" if self._world.checkable else ANSWERS[options.answer_selection]
            self._solved[key] = float(solved(done, answer)[0])
        return self._solved[key]
