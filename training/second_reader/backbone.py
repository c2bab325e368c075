"""Trains the backbone of the second reader of ``stories``: the generator of ``plain`` goes on with problems of ``stories``.

It knows stories of many kinds in its own tokens and layers, so its mistakes are other ones than those of the first reader,
whose backbone has never read anything but the problems of ``stories``.
"""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from epf.training.export import WEIGHTS
from epf.training.generator.train import Recipe as GeneratorRecipe
from epf.training.generator.train import loss_on_solutions, problem_batches
from epf.training.loop import fit
from epf.training.plain.recipe import generator_config
from epf.training.restore import restore
from epf.training.tensor_file import read_tensors


def recipe(steps: int, seed: int) -> GeneratorRecipe:
    """Return the schedule: problems of all lengths from the start, at half the rate, falling from a third of the steps on."""
    return GeneratorRecipe(
        steps=steps, growth=1, decay_from=steps // 3, ships_at=0, learning_rate=2e-3, warmup=30, seed=seed, checkpoint_every=100
    )


def train_backbone(tokenizer: Tokenizer, start: Path, folder: Path, recipe: GeneratorRecipe) -> LlamaForCausalLM:
    """Train and return the model, which begins as the generator in ``start``; checkpoints and log go to ``folder``."""
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(generator_config(tokenizer))
    weights = restore(read_tensors(start / WEIGHTS), np.float32)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    fit(model, problem_batches(tokenizer, recipe), loss_on_solutions(model), recipe, folder)
    return model
