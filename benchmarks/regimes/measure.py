"""Measures one cell: a world, a filter, and a number of particles."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.regimes.cells import METHODS, Place
from benchmarks.regimes.filters import run, solved
from benchmarks.regimes.slopes import slopes_by_depth
from epf.search.smc.weights import FloatArray

N_LABELLED, FREE_SAMPLES = 100, 400
"""Problems, and free samples of each, from which slopes are learned: 40,000 samples."""
LABELLED_SEED = 1_000_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A filter in one place; ``methods`` are those that run it, and differ in how they answer."""

    place: str
    n: int
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """What a method gave in one place.

    Attributes:
        solved: how many of the seeds solved each problem, ``(n_problems,)``. Methods in one place have the same problems.
        n_seeds: number of seeds.
        steps: number of sampled steps per problem.
        draws: number of resamplings per problem and island.
    """

    solved: tuple[int, ...]
    n_seeds: int
    steps: float
    draws: float

    @property
    def shares(self) -> FloatArray:
        """Share of the seeds that solved each problem, ``(n_problems,)``."""
        return np.array(self.solved) / self.n_seeds


@lru_cache(maxsize=64)
def learned_slopes(world: Any) -> tuple[float, ...]:
    """Slopes by depth, from problems that are not measured (in Countdown from other samples of the same ones)."""
    rng = np.random.default_rng(LABELLED_SEED)
    return tuple(slopes_by_depth(world, world.draw(N_LABELLED, rng), FREE_SAMPLES, rng))


def measure(cell: Cell, place: Place) -> dict[str, Figure]:
    """Run the filter on all problems and seeds of the place; the figure of each method."""
    world = place.world
    filter_ = METHODS[cell.methods[0]].filter
    slopes = learned_slopes(world) if filter_.calibrated else (1.0,) * world.n_steps
    runs = []
    for seed in range(1, place.n_seeds + 1):
        problems = world.draw(place.n_problems, np.random.default_rng(seed))
        runs.append(run(problems, world, filter_, cell.n, np.random.default_rng([seed, cell.n]), slopes))
    steps, draws = (float(np.mean([getattr(one, name) for one in runs])) for name in ("steps", "draws"))
    figures = {}
    for method in cell.methods:
        answer = "any" if world.checkable else METHODS[method].answer
        by_seed = np.array([solved(one, answer) for one in runs])
        figures[method] = Figure(tuple(by_seed.sum(axis=0).tolist()), place.n_seeds, steps, draws)
    return figures
