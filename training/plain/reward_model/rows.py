"""Training batches of the reward model: solutions that the generator sampled, and new problems with mistakes of known kinds.

In wordings on which it was trained, the generator makes few mistakes, and others than in new ones. Some of the sampled
solutions are therefore of problems on which it was not trained.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from epf.training.plain.mixture import Mixture
from epf.training.plain.problem import PlainProblem
from epf.training.plain.reward_model.labels import Steps, right_characters, right_solutions
from epf.training.plain.reward_model.mistakes import mistaken
from epf.training.plain.reward_model.samples import read_samples
from epf.training.plain.vary import vary
from epf.training.reward_model.examples import Batch, Row, collate, labelled_row
from epf.training.reward_model.train import Recipe

NEW_SHARE = 0.5
"""Share of new wordings among the rows of sampled solutions."""
_GROUP = 16
"""Batches that are drawn together: rows of similar length share a batch."""


def batches(tokenizer: Tokenizer, mixture: Mixture, known: Path, new: Path, recipe: Recipe, max_lines: int) -> Iterator[Batch]:
    """Yield batches of mixed rows without end.

    ``known`` and ``new`` are files of sampled solutions in wordings on which the generator was trained, and in others.
    """
    rng = np.random.default_rng(recipe.seed)
    sampled_known, sampled_new = list(read_samples(known)), list(read_samples(new))

    def row() -> Row:
        if rng.random() >= recipe.sampled_share:
            return _fresh_row(tokenizer, rng, mixture.draw(rng, max_lines), recipe.n_solutions)
        sampled = sampled_new if rng.random() < NEW_SHARE else sampled_known
        return _sampled_row(tokenizer, rng, *sampled[int(rng.integers(len(sampled)))], recipe.n_solutions)

    while True:
        rows = [row() for _ in range(_GROUP * recipe.batch_size)]
        rows.sort(key=lambda row: len(row.ids))
        for start in rng.permutation(_GROUP) * recipe.batch_size:
            yield collate(tokenizer, rows[start : start + recipe.batch_size])


def _sampled_row(tokenizer: Tokenizer, rng: np.random.Generator, problem: PlainProblem, found: Sequence[Steps], n: int) -> Row:
    """Return a row of distinct samples, with other names and things; the known solution is added if no sample is right."""
    right = right_solutions(problem, found)
    distinct = sorted(set(found))
    chosen = [distinct[i] for i in rng.permutation(len(distinct))[:n]]
    if not any(steps in right for steps in chosen):
        chosen = [problem.solution, *chosen[: n - 1]]
    return labelled_row(tokenizer, vary(rng, problem.text), chosen, [right_characters(right, steps) for steps in chosen])


def _fresh_row(tokenizer: Tokenizer, rng: np.random.Generator, problem: PlainProblem, n: int) -> Row:
    """Return a row of the right solution and several mistaken ones."""
    chosen = [problem.solution, *(mistaken(rng, problem) for _ in range(n - 1))]
    return labelled_row(tokenizer, problem.text, chosen, [right_characters([problem.solution], steps) for steps in chosen])
