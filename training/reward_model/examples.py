"""Training rows of the reward model: one problem, several solutions, and a label for every token.

The solutions of a row share the prompt. Each attends only to the prompt and to itself (a block mask, with positions that
continue from the prompt), so the model learns right and wrong continuations together and computes the prompt once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from tokenizers import Tokenizer

from epf.problem_sets.synthetic.labels import right_characters
from epf.problem_sets.synthetic.problem import SEPARATOR, SyntheticProblem
from epf.problem_sets.synthetic.problems import problem
from epf.training.reward_model.mistakes import mistaken
from epf.training.tokenizer import SPECIALS, prompt, token_id

STEP_END_WEIGHT = 4.0
FIRST_MISTAKE_WEIGHT = 15.0
"""Only one token in fifty is the one that makes a solution wrong, and all later labels follow from it."""
AFTER_MISTAKE_WEIGHT = 0.3
"""Factor for the steps after the first wrong one: all of them are wrong, so they teach little."""


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids ``(length,)`` with their positions, segments (0 prompt, 1.. solutions), labels (-1 without one) and weights."""

    ids: list[int]
    positions: list[int]
    segments: list[int]
    labels: list[int]
    weights: list[float]


def row(tokenizer: Tokenizer, problem: SyntheticProblem, solutions: Sequence[tuple[str, ...]]) -> Row:
    """Return the tokens and labels of a problem with some of its solutions, each given as the texts of its steps."""
    counts = [right_characters(problem, steps) for steps in solutions]
    return labelled_row(tokenizer, problem.text, solutions, counts)


def labelled_row(tokenizer: Tokenizer, text: str, solutions: Sequence[tuple[str, ...]], counts: Sequence[Sequence[int]]) -> Row:
    """Return the tokens and labels of a text with some solutions; ``counts`` are the right leading characters of each step."""
    separator = token_id(tokenizer, SEPARATOR)
    prompt_ids = tokenizer.encode(prompt(text)).ids
    n = len(prompt_ids)
    out = Row(list(prompt_ids), list(range(n)), [0] * n, [-1] * n, [0.0] * n)
    for segment, (steps, n_rights) in enumerate(zip(solutions, counts, strict=True), start=1):
        position = n
        for step, n_right in zip(steps, n_rights, strict=True):
            encoding = tokenizer.encode(step)
            right = n_right == len(step)
            ends = [end for _, end in encoding.offsets]
            tokens = [*encoding.ids, separator]
            labels = [int(end <= n_right) for end in ends] + [int(right)]
            if not right:
                labels[-1] = 0
            out.ids.extend(tokens)
            out.positions.extend(range(position, position + len(tokens)))
            out.segments.extend([segment] * len(tokens))
            out.labels.extend(labels)
            wrong_before = n_right == 0 and out.labels[-len(tokens) - 1] == 0
            factor = AFTER_MISTAKE_WEIGHT if wrong_before else 1.0
            weights = [factor] * len(ends) + [factor * STEP_END_WEIGHT]
            if not right and not wrong_before:
                weights[labels.index(0)] = FIRST_MISTAKE_WEIGHT
            out.weights.extend(weights)
            position += len(tokens)
    return out


def fresh_rows(tokenizer: Tokenizer, rng: np.random.Generator, n_solutions: int) -> Iterator[Row]:
    """Yield rows of new problems without end, each with one right solution and several mistaken ones."""
    while True:
        drawn = problem(rng, int(rng.integers(1, 9)), "train")
        solutions = [drawn.solution] + [mistaken(rng, drawn) for _ in range(n_solutions - 1)]
        yield row(tokenizer, drawn, solutions)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded to one length: ``ids``, ``positions``, ``labels``, ``weights`` ``(b, t)``, ``mask`` ``(b, 1, t, t)``.

    ``ends`` ``(b, s)`` are the positions of each solution's last separator; -1 if a row has fewer solutions.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    mask: torch.Tensor
    ends: torch.Tensor


def collate(tokenizer: Tokenizer, rows: Sequence[Row]) -> Batch:
    """Pad rows and build their block masks."""
    length = max(len(r.ids) for r in rows)
    shape = (len(rows), length)
    ids = torch.full(shape, tokenizer.token_to_id(SPECIALS[0]))
    positions, labels, weights = torch.zeros(shape, dtype=torch.long), torch.full(shape, -1), torch.zeros(shape)
    segments = torch.full(shape, -1)
    for i, r in enumerate(rows):
        n = len(r.ids)
        ids[i, :n], positions[i, :n] = torch.tensor(r.ids), torch.tensor(r.positions)
        labels[i, :n], weights[i, :n], segments[i, :n] = (
            torch.tensor(r.labels),
            torch.tensor(r.weights),
            torch.tensor(r.segments),
        )
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = (segments[:, :, None] == segments[:, None, :]) | (segments[:, None, :] == 0)
    numbers = torch.arange(1, int(segments.max()) + 1)
    places = torch.where(segments[:, None] == numbers[:, None], torch.arange(length), -1)
    return Batch(ids, positions, labels, weights, (causal & same)[:, None], places.amax(dim=2))


def hidden_states(backbone: torch.nn.Module, batch: Batch, device: str) -> torch.Tensor:
    """Return the last hidden states of rows whose solutions share their prompt, ``(b, t, width)``."""
    outputs = backbone(
        batch.ids.to(device),
        attention_mask=batch.mask.to(device),
        position_ids=batch.positions.to(device),
        use_cache=False,
    )
    return cast(torch.Tensor, outputs.last_hidden_state)
