"""Train the generator of the pair ``plain``: ``python -m epf.training.plain``. A run that was interrupted goes on."""

import argparse
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from epf.training.plain.gsm8k.rows import templates
from epf.training.plain.mixture import Mixture
from epf.training.plain.recipe import VOCABULARY, Recipe
from epf.training.plain.train import train
from epf.training.tokenizer import save_tokenizer, train_tokenizer

_TOKENIZER_PROBLEMS = 30_000


def main() -> None:
    """Train the tokenizer and the generator, or go on where the last run ended."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--gsm8k", type=Path, help="JSON Lines file of GSM8K's training problems; default: from the hub")
    parser.add_argument("--out", type=Path, default=Path("runs/plain"), help="folder for tokenizer, state, log and model")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="optimiser steps; three quarters at the full rate")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    args = parser.parse_args()
    mixture = Mixture(list(templates(args.gsm8k)))
    recipe = Recipe(steps=args.steps, decay_from=args.steps * 3 // 4, seed=args.seed)
    path = args.out / "tokenizer" / "tokenizer.json"
    if not path.exists():
        rng = np.random.default_rng(args.seed)
        drawn = (mixture.draw(rng, recipe.max_lines) for _ in range(_TOKENIZER_PROBLEMS))
        save_tokenizer(train_tokenizer(drawn, VOCABULARY), path.parent)
    train(Tokenizer.from_file(str(path)), mixture, args.out / "generator", recipe).save_pretrained(
        args.out / "generator" / "final"
    )


if __name__ == "__main__":
    main()
