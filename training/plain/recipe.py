"""Sizes and schedule of the pair ``plain``: all numbers of its training in one place."""

from dataclasses import dataclass

from tokenizers import Tokenizer
from transformers import LlamaConfig

from epf.training.llama import llama_config
from epf.training.plain.mixture import MAX_LINES
from epf.training.reward_model.train import Recipe as RewardModelRecipe

VOCABULARY = 4096
CONTEXT = 512


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast the generator trains. All but ``batch_size`` (problems) and ``learning_rate`` count steps.

    Attributes:
        growth: over this many steps, the solutions grow from 2 lines to :attr:`max_lines`.
        decay_from: from here on, the learning rate falls to zero by a cosine.
    """

    steps: int = 9_700
    decay_from: int = 7_275
    warmup: int = 100
    growth: int = 1_000
    max_lines: int = MAX_LINES
    batch_size: int = 64
    learning_rate: float = 4e-3
    seed: int = 0

    def lines_at(self, step: int) -> int:
        """Return the maximum number of lines of a solution at a step."""
        return 2 + int((self.max_lines - 2) * min(1.0, step / self.growth))


def generator_config(tokenizer: Tokenizer) -> LlamaConfig:
    """Return the generator's shape: 8.9 million parameters."""
    return llama_config(tokenizer, vocabulary=VOCABULARY, context=CONTEXT, width=320, feed_forward_width=896, layers=6, heads=5)


def reward_model_recipe(seed: int) -> RewardModelRecipe:
    """Return the reward model's recipe: two layers on the generator's weights, more of the rows sampled than written."""
    return RewardModelRecipe(steps=1_500, decay_from=700, sampled_share=0.7, seed=seed)
