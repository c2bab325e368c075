"""Mazes of the set ``forks``, drawn from a seed."""

from collections.abc import Iterator

import numpy as np

from epf.problem_sets.forks.maze import Maze, draw_maze

SIZES = ((3, 2), (2, 3), (2, 4))
"""Parts and ways of the mazes: a walker who guesses at every fork ends right in 12, 11 and 6 %."""
LENGTH = 3
"""Rooms of every way."""


def mazes(seed: int, habit: float = 0.0) -> Iterator[Maze]:
    """Yield mazes without end, of all sizes equally often, with a habit: :func:`epf.problem_sets.forks.maze.draw_maze`."""
    rng = np.random.default_rng(seed)
    while True:
        yield draw_maze(rng, *SIZES[int(rng.integers(len(SIZES)))], LENGTH, habit)
