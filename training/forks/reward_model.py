"""Training rows of the reward models of the pair ``forks``: walks that guess at every fork, with exact labels.

A walk is right up to the fork where it leaves the way through all gates. Whether it has left it shows at the end of the
corridor; before, a reward model can know it only by following the corridor in the text. One that is trained on fresh mazes
learns to do so as far as it can. One that is trained on a few mazes over and over knows these by heart and is sure of itself in
all others: the over-confident reward model.
"""

from collections.abc import Iterator
from itertools import count, islice

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


def batches(tokenizer: Tokenizer, recipe: Recipe, seed: int, n_mazes: int | None) -> Iterator[Batch]:
    """Yield batches of mazes drawn from ``seed`` without end: always new ones, or the first ``n_mazes`` over and over."""
    rng = np.random.default_rng(recipe.seed)
    known = None if n_mazes is None else list(islice(mazes(seed), n_mazes))
    drawn = mazes(seed) if known is None else (known[int(rng.integers(len(known)))] for _ in count())
    while True:
        rows = [judged_row(tokenizer, rng, next(drawn), recipe.n_solutions) for _ in range(_GROUP * recipe.batch_size)]
        rows.sort(key=lambda row: len(row.ids))
        for start in rng.permutation(_GROUP) * recipe.batch_size:
            yield collate(tokenizer, rows[start : start + recipe.batch_size])
