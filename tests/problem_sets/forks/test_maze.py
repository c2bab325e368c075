"""Mazes of forks: every walk keeps to the doors of the text, only one ends right, and values are those of all walks counted."""

import re
from itertools import product

import numpy as np
import pytest

from epf.problem_sets.forks.labels import is_right_so_far, right_characters, value
from epf.problem_sets.forks.maze import Maze, draw_maze

SIZES = [(1, 2, 1), (2, 3, 3), (3, 2, 3), (3, 3, 2)]


def walks(maze: Maze) -> list[tuple[str, ...]]:
    return [maze.walk(choices) for choices in product(*(range(len(part.ways)) for part in maze.parts))]


def mazes() -> list[Maze]:
    rng = np.random.default_rng(5)
    return [draw_maze(rng, *size) for size in SIZES for _ in range(20)]


def test_a_walk_goes_through_doors_of_the_text_and_names_its_end() -> None:
    for maze in mazes():
        doors = set(re.findall(r"\b\d\d-\d\d\b", maze.text))
        for steps in walks(maze):
            moves = [re.fullmatch(r"(\d\d)-(\d\d)( gate| dead end)?\.", step) for step in steps[:-1]]
            assert all(move is not None and f"{move[1]}-{move[2]}" in doors for move in moves)
            rooms = [move[2] for move in moves if move is not None]
            assert [move[1] for move in moves if move is not None] == [str(maze.start), *rooms[:-1]]
            assert steps[-1] == f"The answer is \\boxed{{{rooms[-1]}}}."


def test_one_walk_of_all_ends_right() -> None:
    for maze in mazes():
        right = [steps for steps in walks(maze) if steps[-1] == f"The answer is \\boxed{{{maze.answer}}}."]
        assert right == [maze.solution]


def test_the_text_does_not_give_the_ways_away() -> None:
    rng = np.random.default_rng(6)
    drawn = [draw_maze(rng, 3, 2, 2) for _ in range(400)]
    assert 160 < sum(maze.parts[0].right for maze in drawn) < 240
    gates = [re.findall(r"(\d\d) gate", maze.text) for maze in drawn]
    assert 90 < sum(names[0] == str(maze.answer) for names, maze in zip(gates, drawn, strict=True)) < 180


def test_with_a_habit_the_right_way_begins_in_the_lowest_room() -> None:
    rng = np.random.default_rng(7)
    parts = [part for _ in range(100) for part in draw_maze(rng, 2, 3, 2, habit=1.0).parts]
    assert all(part.ways[part.right][0] == min(way[0] for way in part.ways) for part in parts)


def test_a_value_is_the_share_of_walks_that_end_right() -> None:
    for maze in mazes():
        weighted = dict.fromkeys(walks(maze), 0.0)
        for choices in product(*(range(len(part.ways)) for part in maze.parts)):
            weighted[maze.walk(choices)] += 1.0
        for steps in weighted:
            for n in range(len(steps) + 1):
                same = {other: n_walks for other, n_walks in weighted.items() if other[:n] == steps[:n]}
                share = same.get(maze.solution, 0.0) / sum(same.values())
                assert value(maze, steps[:n]) == pytest.approx(share)
                assert n == 0 or is_right_so_far(maze, steps[:n]) == (share > 0)


def test_a_walk_is_right_up_to_the_character_where_it_leaves_the_way() -> None:
    for maze in mazes():
        lengths = [len(step) for step in maze.solution]
        assert right_characters(maze, maze.solution) == lengths
        assert right_characters(maze, (*maze.solution, "10-11."))[-1] == 0
        for steps in walks(maze):
            counts = right_characters(maze, steps)
            whole = [n == len(step) for n, step in zip(counts, steps, strict=True)]
            assert whole == [is_right_so_far(maze, steps[: n + 1]) for n in range(len(steps))]
            if steps != maze.solution:
                left = whole.index(False)
                assert 3 <= counts[left] <= 4, "the room after the door, of which one digit may be the same"
                assert not any(counts[left + 1 :])


def test_a_maze_cannot_have_more_rooms_than_names() -> None:
    with pytest.raises(ValueError, match="at most 90 rooms, not 97"):
        draw_maze(np.random.default_rng(0), 4, 4, 6)
