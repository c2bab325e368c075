"""Trains a Llama on the solutions of synthetic problems, from a seed and for a given number of steps.

Muon trains the matrices and AdamW the rest. The learning rate is constant and then decays by a cosine; the problems have few
steps at first and more later. The loss covers solution tokens only. Training runs on a GPU if there is one, otherwise on a CPU.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from epf.problem_sets.synthetic.problem import MAX_STEPS
from epf.problem_sets.synthetic.problems import problem
from epf.training.llama import llama_config
from epf.training.loop import fit, mixed_precision
from epf.training.tokenizer import SPECIALS, VOCABULARY, example

CONTEXT = 512
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to train. All but ``batch_size`` (problems) and ``learning_rate`` are numbers of optimiser steps.

    Attributes:
        growth: over this many optimiser steps, the problems grow from 2 to 8 steps.
        decay_from: from here on, the learning rate falls to zero by a cosine.
        ships_at: the checkpoint that ships. It is weaker than the last one on purpose, so that a search can improve on it;
            the reward model starts from the last one.
    """

    steps: int = 2_100
    growth: int = 600
    decay_from: int = 1_250
    ships_at: int = 1_775
    batch_size: int = 48
    learning_rate: float = 4e-3
    warmup: int = 100
    seed: int = 0
    checkpoint_every: int = 250


def generator_config(tokenizer: Tokenizer) -> LlamaConfig:
    """Return the shape of both models of the pair: 3.7 million parameters."""
    return llama_config(tokenizer, vocabulary=VOCABULARY, context=CONTEXT, width=256, feed_forward_width=768, layers=4, heads=4)


def problem_batches(tokenizer: Tokenizer, recipe: Recipe, first_step: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches of ``ids`` and ``labels`` ``(batch, length)`` without end; problems of similar length share a batch."""
    rng = np.random.default_rng([recipe.seed, first_step])
    pad = tokenizer.token_to_id(SPECIALS[0])
    for group in count(first_step // 16):
        largest = 2 + int((MAX_STEPS - 2) * min(1.0, group * 16 / recipe.growth))
        drawn = [
            example(tokenizer, problem(rng, int(rng.integers(1, largest + 1)), "train")) for _ in range(16 * recipe.batch_size)
        ]
        drawn.sort(key=lambda pair: len(pair[0]))
        for start in rng.permutation(16) * recipe.batch_size:
            rows = drawn[start : start + recipe.batch_size]
            length = max(len(ids) for ids, _ in rows)
            ids = torch.full((len(rows), length), pad)
            labels = torch.full((len(rows), length), IGNORED)
            for row, (tokens, n_prompt) in enumerate(rows):
                ids[row, : len(tokens)] = torch.tensor(tokens)
                labels[row, n_prompt : len(tokens)] = torch.tensor(tokens[n_prompt:])
            yield ids, labels


def loss_on_solutions(model: LlamaForCausalLM) -> Callable[[tuple[torch.Tensor, torch.Tensor]], tuple[torch.Tensor, int]]:
    """Move the model to the device that trains it and return the mean loss of a batch's labels, with its number of tokens."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    model.config._attn_implementation = "sdpa"
    backbone = torch.compile(model.model, dynamic=True)

    def loss_of(batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, int]:
        ids, targets = batch[0].to(device), batch[1][:, 1:].to(device)
        with mixed_precision(device):
            hidden = backbone(ids[:, :-1], use_cache=False).last_hidden_state[targets != IGNORED]
            logits = model.lm_head(hidden)
        return torch.nn.functional.cross_entropy(logits.float(), targets[targets != IGNORED]), ids.numel()

    return loss_of


def train_generator(tokenizer: Tokenizer, folder: Path, recipe: Recipe, first_step: int = 0) -> LlamaForCausalLM:
    """Train and return the model; checkpoints go to ``folder/step-N``, progress to ``folder/log.jsonl``.

    ``first_step`` > 0 continues from that checkpoint, with fresh optimiser state and other problems.
    """
    torch.manual_seed(recipe.seed)
    config = generator_config(tokenizer)
    model = LlamaForCausalLM.from_pretrained(folder / f"step-{first_step}") if first_step else LlamaForCausalLM(config)
    stream = problem_batches(tokenizer, recipe, first_step)
    fit(model, stream, loss_on_solutions(model), recipe, folder, first_step, recipe.ships_at)
    return model
