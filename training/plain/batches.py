"""Batches of training problems. The seed and the step determine a batch, so that training goes on anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from tokenizers import Tokenizer

from epf.training.plain.mixture import Mixture
from epf.training.plain.recipe import CONTEXT, Recipe
from epf.training.tokenizer import SPECIALS, example, token_id

IGNORED = -100
GROUP = 32
"""Batches that are drawn together: problems of similar length share a batch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids and the tokens to predict, both ``(problems, length)``; :data:`IGNORED` in prompts and padding."""

    ids: torch.Tensor
    labels: torch.Tensor


def batches(tokenizer: Tokenizer, mixture: Mixture, recipe: Recipe, first_step: int = 0) -> Iterator[Batch]:
    """Yield the batches from ``first_step`` on, without end."""
    for group in count(first_step // GROUP):
        drawn = _group(tokenizer, mixture, recipe, group)
        yield from drawn[max(0, first_step - group * GROUP) :]


def _group(tokenizer: Tokenizer, mixture: Mixture, recipe: Recipe, group: int) -> list[Batch]:
    rng = np.random.default_rng([recipe.seed, group])
    max_lines = recipe.lines_at(group * GROUP)
    rows: list[tuple[list[int], int]] = []
    while len(rows) < GROUP * recipe.batch_size:
        row = example(tokenizer, mixture.draw(rng, max_lines))
        if len(row[0]) <= CONTEXT:
            rows.append(row)
    rows.sort(key=lambda row: len(row[0]))
    starts = rng.permutation(GROUP) * recipe.batch_size
    return [_batch(rows[start : start + recipe.batch_size], token_id(tokenizer, SPECIALS[0])) for start in starts]


def _batch(rows: list[tuple[list[int], int]], pad: int) -> Batch:
    length = max(len(ids) for ids, _ in rows)
    ids, labels = torch.full((len(rows), length), pad), torch.full((len(rows), length), IGNORED)
    for row, (tokens, n_prompt) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, n_prompt : len(tokens)] = torch.tensor(tokens[n_prompt:])
    return Batch(ids, labels)
