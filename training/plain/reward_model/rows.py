"""Training batches of the reward model: solutions that the generator sampled, and new problems with mistakes of known kinds."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from epf.training.plain.mixture import Mixture
from epf.training.plain.problem import PlainProblem
from epf.training.plain.reward_model.labels import Steps, right_characters, right_solutions
from epf.training.plain.reward_model.mistakes import mistaken
from epf.training.plain.reward_model.samples import read_samples
from epf.training.reward_model.examples import Batch, Row, collate, labelled_row
from epf.training.reward_model.train import Recipe

_GROUP = 16
"""Batches that are drawn together: rows of similar length share a batch."""


def batches(tokenizer: Tokenizer, mixture: Mixture, samples: Path, recipe: Recipe, max_lines: int) -> Iterator[Batch]:
    """Yield batches of mixed rows without end."""
    rng = np.random.default_rng(recipe.seed)
    sampled = list(read_samples(samples))
    while True:
        rows = [
            _sampled_row(tokenizer, rng, *sampled[int(rng.integers(len(sampled)))], recipe.n_solutions)
            if rng.random() < recipe.sampled_share
            else _fresh_row(tokenizer, rng, mixture.draw(rng, max_lines), recipe.n_solutions)
            for _ in range(_GROUP * recipe.batch_size)
        ]
        rows.sort(key=lambda row: len(row.ids))
        for start in rng.permutation(_GROUP) * recipe.batch_size:
            yield collate(tokenizer, rows[start : start + recipe.batch_size])


def _sampled_row(tokenizer: Tokenizer, rng: np.random.Generator, problem: PlainProblem, found: Sequence[Steps], n: int) -> Row:
    """Return a row of distinct samples; the known solution is added if no sample is right."""
    right = right_solutions(problem, found)
    distinct = sorted(set(found))
    chosen = [distinct[i] for i in rng.permutation(len(distinct))[:n]]
    if not any(steps in right for steps in chosen):
        chosen = [problem.solution, *chosen[: n - 1]]
    return labelled_row(tokenizer, problem.text, chosen, [right_characters(right, steps) for steps in chosen])


def _fresh_row(tokenizer: Tokenizer, rng: np.random.Generator, problem: PlainProblem, n: int) -> Row:
    """Return a row of the right solution and several mistaken ones."""
    chosen = [problem.solution, *(mistaken(rng, problem) for _ in range(n - 1))]
    return labelled_row(tokenizer, problem.text, chosen, [right_characters([problem.solution], steps) for steps in chosen])
