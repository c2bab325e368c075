"""Train the embedded generator: ``python -m generators.training --out runs/generator``."""

import argparse
from pathlib import Path

from tokenizers import Tokenizer

from generators.training.text import make_tokenizer, save_tokenizer
from generators.training.train import Recipe, train_generator


def main() -> None:
    """Make the tokenizer, train, and leave checkpoints and a log in the folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/generator"))
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="optimiser steps")
    parser.add_argument("--first-step", type=int, default=0, help="go on from this checkpoint")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    args = parser.parse_args()
    if args.first_step:
        tokenizer = Tokenizer.from_file(str(args.out / "tokenizer" / "tokenizer.json"))
    else:
        tokenizer = make_tokenizer(args.seed)
        save_tokenizer(tokenizer, args.out / "tokenizer")
    train_generator(tokenizer, args.out, Recipe(steps=args.steps, seed=args.seed), args.first_step)


if __name__ == "__main__":
    main()
