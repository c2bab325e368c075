"""Training rows of the pair forks: every walk is there, each token labelled with the next one or with whether it is right."""

import numpy as np
import pytest

from epf.problem_sets.forks.problems import SIZES, mazes

pytest.importorskip("torch", reason="torch is not installed; the extra `train` has it")
pytest.importorskip("transformers", reason="transformers is not installed; the extra `train` has it")

from epf.training.forks.generator import make_tokenizer
from epf.training.forks.reward_model import judged_row
from epf.training.forks.walks import maze_of_level, random_walk, walks_row
from epf.training.tokenizer import END, SPECIALS

TOKENIZER = make_tokenizer(0)


def test_a_room_is_one_token_with_or_without_a_dash() -> None:
    for room in range(10, 100):
        assert TOKENIZER.encode(f"{room}-{room}.").tokens == [f"{room}-", str(room), "."]


def test_the_labels_of_a_walk_are_its_tokens() -> None:
    rng, maze = np.random.default_rng(0), next(mazes(1))
    walks = [random_walk(rng, maze) for _ in range(5)]
    row = walks_row(TOKENIZER, maze, walks)
    segments, labels, ids, positions = (np.array(values) for values in (row.segments, row.labels, row.ids, row.positions))
    n_prompt = int((segments == 0).sum())
    assert TOKENIZER.decode(ids[:n_prompt].tolist(), skip_special_tokens=False).count(maze.text) == 1
    assert labels[n_prompt - 1] == TOKENIZER.token_to_id(f"{maze.start}-")
    assert (labels[: n_prompt - 1] == -1).all()
    for segment, walk in enumerate(walks, start=1):
        mine = segments == segment
        assert positions[mine].tolist() == list(range(n_prompt, n_prompt + mine.sum()))
        assert labels[mine].tolist() == [*ids[mine][1:].tolist(), -1]
        assert TOKENIZER.decode(ids[mine].tolist(), skip_special_tokens=False) == "\n\n".join(walk) + END


def test_the_walker_takes_each_way_equally_often() -> None:
    rng, maze = np.random.default_rng(0), next(mazes(2))
    taken = [random_walk(rng, maze)[0] for _ in range(900)]
    counts = [taken.count(step) for step in sorted(set(taken))]
    expected = 900 / len(maze.parts[0].ways)
    assert len(counts) == len(maze.parts[0].ways)
    assert all(abs(n - expected) < 4 * expected**0.5 for n in counts)


def test_mazes_grow_with_the_level() -> None:
    rng = np.random.default_rng(0)
    assert {len(maze_of_level(rng, 0.0).parts) for _ in range(40)} == {1}
    drawn = [maze_of_level(rng, 1.0) for _ in range(200)]
    assert {(len(maze.parts), len(maze.parts[0].ways)) for maze in drawn} == set(SIZES)


def test_a_judged_row_has_the_right_walk_and_others_that_are_wrong_from_a_fork_on() -> None:
    rng, maze = np.random.default_rng(0), next(mazes(3))
    row = judged_row(TOKENIZER, rng, maze, 4)
    segments, labels = np.array(row.segments), np.array(row.labels)
    assert segments.max() == 4
    assert (labels[segments == 0] == -1).all()
    assert (labels[segments == 1] == 1).all()
    for segment in (2, 3, 4):
        mine = labels[segments == segment].tolist()
        assert mine == sorted(mine, reverse=True)
        assert mine[-1] == 0
        assert mine[0] == 1, "every walk begins in the same room"
    assert TOKENIZER.token_to_id(SPECIALS[0]) not in row.ids
