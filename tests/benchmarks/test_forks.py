"""The benchmarks of the pair forks: which walks took the right ways, how long errors stay, and the table of methods."""

from itertools import islice

import numpy as np
import pytest

from benchmarks.forks import lines, shown
from benchmarks.forks_pair import ends_right, persistence, took_the_right_ways
from epf.problem_sets.forks.problems import LENGTH, mazes
from tests.evaluation.made import row

MAZES = list(islice(mazes(3), 40))


def test_a_walk_that_slips_in_a_corridor_took_the_right_ways_and_ends_wrong() -> None:
    for maze in MAZES:
        right, wrong = maze.solution, maze.walk(tuple((part.right + 1) % len(part.ways) for part in maze.parts))
        slipped = (*right[:-1], "The answer is \\boxed{10000}.")
        walks = (right, wrong, slipped, right[:1], ())
        assert [took_the_right_ways(maze, walk) for walk in walks] == [True, False, True, False, False]
        assert [ends_right(maze, walk) for walk in walks] == [True, False, False, False, False]


@pytest.mark.parametrize("stays", [0.0, 0.8])
def test_the_persistence_of_errors_is_that_with_which_they_are_made(stays: float) -> None:
    rng = np.random.default_rng(0)
    walks, scores = [], []
    for maze in MAZES:
        group = sorted({maze.walk(tuple(int(rng.integers(len(part.ways))) for part in maze.parts)) for _ in range(40)})
        made = []
        for walk in group:
            error, odds = 0.0, []
            for t in range(len(walk)):
                fresh = t % LENGTH == 0
                error = rng.normal() if fresh else stays * error + (1 - stays**2) ** 0.5 * rng.normal()
                odds.append(error - t)
            made.append((1 / (1 + np.exp(-np.array(odds)))).tolist())
        walks.append(group)
        scores.append(made)
    assert persistence(MAZES, walks, scores) == pytest.approx(stays, abs=0.12)


def test_each_accuracy_is_in_its_cell_and_marked_if_it_differs_from_plain_filtering() -> None:
    rows = [
        row(f"p{i}", method, 8, seed, correct=correct)
        for i in range(40)
        for seed in (0, 1)
        for method, correct in (("epf", True), ("pf", i % 2 == 0), ("dvts", i % 2 == 0))
    ]
    found, n_searches = lines("forks", rows)
    assert n_searches == 80
    table = [[part.strip() for part in line.split("|")[1:-1]] for line in shown(found).splitlines()]
    assert table[2:] == [["`epf`, tuned", "100.0 +", "100"], ["`dvts`", "50.0", "100"], ["`pf`", "50.0", "100"]]
