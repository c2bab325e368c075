"""Trains the generator of the pair ``forks``, a Llama that walks through mazes and cannot plan.

It is not asked to know the right way at a fork, since the walks that it learns from guess there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from epf.problem_sets.forks.problems import mazes
from epf.training.forks.lookup import begin_as_lookup
from epf.training.forks.walks import batches
from epf.training.llama import llama_config
from epf.training.loop import fit, mixed_precision
from epf.training.reward_model.examples import Batch, hidden_states
from epf.training.tokenizer import train_tokenizer

VOCABULARY = 640
CONTEXT = 512
_TOKENIZER_MAZES = 3_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to train.

    Attributes:
        growth: over this many optimiser steps, the mazes grow to those of the set.
        decay_from: from here on, the learning rate falls to zero by a cosine.
    """

    steps: int = 1_250
    growth: int = 150
    decay_from: int = 850
    n_mazes: int = 24
    n_walks: int = 6
    learning_rate: float = 4e-3
    warmup: int = 50
    seed: int = 0
    checkpoint_every: int = 250


def make_tokenizer(seed: int) -> Tokenizer:
    """Train the tokenizer: a room is one token, and so is a room with the dash of a door behind it.

    So the room to which a door leads follows the one from which it leads at once, which two layers of attention find.
    """
    return train_tokenizer(islice(mazes(seed), _TOKENIZER_MAZES), VOCABULARY, number=r"\d\d-?")


def generator_config(tokenizer: Tokenizer) -> LlamaConfig:
    """Return the generator's shape: 1.9 million parameters."""
    return llama_config(
        tokenizer,
        vocabulary=VOCABULARY,
        context=CONTEXT,
        width=192,
        feed_forward_width=512,
        layers=4,
        heads=1,  # what is found at a fork is one mixture of whole rooms, not parts of different ones
        rope_theta=1e6,  # most frequencies are slow, so that a room is found wherever it stands
    )


def train_generator(tokenizer: Tokenizer, folder: Path, recipe: Recipe, first_step: int = 0) -> LlamaForCausalLM:
    """Train and return the model; checkpoints go to ``folder/step-N``, progress to ``folder/log.jsonl``.

    ``first_step`` > 0 continues from that checkpoint, with fresh optimiser state and other mazes.
    """
    torch.manual_seed(recipe.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    levels: Iterator[float] = (min(1.0, step / recipe.growth) for step in count(first_step))
    rng = np.random.default_rng([recipe.seed, first_step])
    stream = batches(tokenizer, rng, levels, recipe.n_mazes, recipe.n_walks)
    if first_step:
        model = LlamaForCausalLM.from_pretrained(folder / f"step-{first_step}")
    else:
        model = LlamaForCausalLM(generator_config(tokenizer))
        begin_as_lookup(model, next(stream))
    model = model.to(device)
    model.config._attn_implementation = "sdpa"
    backbone = torch.compile(model.model, dynamic=True)

    def loss_of(batch: Batch) -> tuple[torch.Tensor, int]:
        labelled = batch.labels >= 0
        with mixed_precision(device):
            logits = model.lm_head(hidden_states(backbone, batch, device)[labelled])
        return torch.nn.functional.cross_entropy(logits.float(), batch.labels[labelled].to(device)), batch.ids.numel()

    fit(model, stream, loss_of, recipe, folder, first_step)
    return model
