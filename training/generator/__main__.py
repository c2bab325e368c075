"""Train the generator of the pair ``stories`` and publish it: ``python -m epf.training.generator``."""

import argparse
from pathlib import Path

from tokenizers import Tokenizer

from epf.engines.onnx.pairs import STORIES
from epf.training.generator.train import Recipe, train_generator
from epf.training.publish import publish
from epf.training.tokenizer import make_tokenizer, save_tokenizer


def main() -> None:
    """Train the tokenizer and the generator, and publish the model directory."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/generator"), help="folder for tokenizer, checkpoints and log")
    parser.add_argument("--publish", type=Path, default=STORIES.generator, help="model directory to write")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="optimiser steps")
    parser.add_argument("--first-step", type=int, default=0, help="continue from this checkpoint")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    args = parser.parse_args()
    if args.first_step:
        tokenizer = Tokenizer.from_file(str(args.out / "tokenizer" / "tokenizer.json"))
    else:
        tokenizer = make_tokenizer(args.seed)
        save_tokenizer(tokenizer, args.out / "tokenizer")
    recipe = Recipe(steps=args.steps, ships_at=min(args.steps, Recipe().ships_at), seed=args.seed)
    train_generator(tokenizer, args.out, recipe, args.first_step).save_pretrained(args.out / "final")
    publish(args.out / f"step-{recipe.ships_at}", args.out / "tokenizer", args.publish, STORIES.model_name("generator"))


if __name__ == "__main__":
    main()
