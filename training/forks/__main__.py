"""Train the pair ``forks``: ``python -m epf.training.forks``. A stage whose result is in the folder is not repeated.

The stages are the tokenizer with the generator, and two reward models on the generator's weights: one that is trained on mazes
like those of the set ``forks``, and an over-confident one that is trained on mazes with a habit that those do not have.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from epf.training.forks.generator import Recipe, make_tokenizer, train_generator
from epf.training.forks.reward_model import batches
from epf.training.publish import publish
from epf.training.reward_model.train import Recipe as RewardModelRecipe
from epf.training.reward_model.train import train_on
from epf.training.tokenizer import save_tokenizer

_REWARD_MODELS = {"forks": 0.0, "forks-overconfident": 0.9}
"""Habits of the mazes that the reward models are trained on."""


def main() -> None:
    """Train all models and publish them in 16 bits."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/forks"), help="folder for everything, the models in OUT/pair")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="optimiser steps of the generator")
    parser.add_argument("--reward-steps", type=int, default=400, help="optimiser steps of each reward model")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    args = parser.parse_args()
    tokenizer_folder, pair = args.out / "tokenizer", args.out / "pair"
    recipe = replace(Recipe(), steps=args.steps, decay_from=args.steps * 17 // 25, growth=args.steps * 3 // 25, seed=args.seed)
    if not (tokenizer_folder / "tokenizer.json").exists():
        save_tokenizer(make_tokenizer(args.seed), tokenizer_folder)
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    final = args.out / "generator" / "final"
    if not final.exists():
        train_generator(tokenizer, args.out / "generator", recipe).half().save_pretrained(final)
    publish(final, tokenizer_folder, pair / "forks" / "generator", "forks-generator")
    for number, (name, habit) in enumerate(_REWARD_MODELS.items(), start=1):
        folder = args.out / "reward_models" / name
        if not (folder / "final").exists():
            judge = RewardModelRecipe(steps=args.reward_steps, decay_from=args.reward_steps // 2, seed=args.seed + number)
            stream = batches(tokenizer, judge, args.seed + 10 * number, habit)
            train_on(stream, final, folder, judge).half().save_pretrained(folder / "final")
        publish(folder / "final", tokenizer_folder, pair / name / "reward_model", f"{name}-reward-model")


if __name__ == "__main__":
    main()
