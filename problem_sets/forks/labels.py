"""Exact labels of partial walks through a maze: whether all steps are right, and how likely the walk is to end right."""

from math import prod
from os.path import commonprefix

from epf.problem_sets.forks.maze import Maze


def is_right_so_far(maze: Maze, steps: tuple[str, ...]) -> bool:
    """Whether the steps, at least one, are the first ones of the walk through all gates."""
    return maze.solution[: len(steps)] == steps


def right_characters(maze: Maze, steps: tuple[str, ...]) -> list[int]:
    """Return for each step the number of its leading characters that are right; all of them if the step is right."""
    right, counts = True, []
    for i, step in enumerate(steps):
        known = maze.solution[i] if right and i < len(maze.solution) else ""
        counts.append(len(commonprefix((step, known))))  # noqa: RUF071 - character by character
        right = right and step == known
    return counts


def value(maze: Maze, steps: tuple[str, ...]) -> float:
    """Return the probability that a walk that begins with ``steps`` ends with the right answer.

    It is that of a walker who takes each way at a fork with the same probability, and otherwise goes through doors that exist
    and says where the walk ended.
    """
    if steps and not is_right_so_far(maze, steps):
        return 0.0
    forks, at = [], 0
    for part in maze.parts:
        forks.append(at)
        at += len(part.ways[part.right])
    return prod(1 / len(part.ways) for part, fork in zip(maze.parts, forks, strict=True) if fork >= len(steps))
