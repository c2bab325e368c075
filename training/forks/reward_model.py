"""Training rows of the reward models of the pair ``forks``: walks that guess at every fork, with exact labels.

A walk is right up to the fork where it leaves the way through all gates. Whether it has left it shows at the end of the
corridor; before, a reward model can know it only by following the corridor in the text. One that is trained on mazes without a
habit learns to do so as far as it can. One that is trained on mazes in which the right way mostly begins in the room with the
lowest number learns that instead, and is as sure of it where it means nothing: the over-confident reward model.
"""

from collections.abc import Iterator

import numpy as np
from tokenizers import Tokenizer

from epf.problem_sets.forks.labels import right_characters
from epf.problem_sets.forks.maze import Maze
from epf.problem_sets.forks.problems import mazes
from epf.training.forks.walks import random_walk
from epf.training.reward_model.examples import Batch, Row, collate, labelled_row
from epf.training.reward_model.train import Recipe

_GROUP = 16
"""Batches that are drawn together: rows of similar length share a batch."""


def judged_row(tokenizer: Tokenizer, rng: np.random.Generator, maze: Maze, n: int) -> Row:
    """Return the tokens and labels of a maze with the right walk and up to ``n - 1`` different ones."""
    walks = {maze.solution, *(random_walk(rng, maze) for _ in range(2 * n))}
    others = sorted(walks - {maze.solution})
    chosen = [maze.solution, *(others[i] for i in rng.permutation(len(others))[: n - 1])]
    return labelled_row(tokenizer, maze.text, chosen, [right_characters(maze, steps) for steps in chosen])


def batches(tokenizer: Tokenizer, recipe: Recipe, seed: int, habit: float) -> Iterator[Batch]:
    """Yield batches of mazes with a habit (:func:`epf.problem_sets.forks.maze.draw_maze`), drawn from ``seed``, without end."""
    rng, drawn = np.random.default_rng(recipe.seed), mazes(seed, habit)
    while True:
        rows = [judged_row(tokenizer, rng, next(drawn), recipe.n_solutions) for _ in range(_GROUP * recipe.batch_size)]
        rows.sort(key=lambda row: len(row.ids))
        for start in rng.permutation(_GROUP) * recipe.batch_size:
            yield collate(tokenizer, rows[start : start + recipe.batch_size])
