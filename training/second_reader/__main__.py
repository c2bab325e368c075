"""Train the second reader of ``stories``: ``python -m epf.training.second_reader``. A stage that is done is not repeated.

The stages are solutions of the generator of ``stories``, a backbone that begins as the generator of ``plain``, and a reward
model on top of it by the recipe of the first reader.
"""

import argparse
from pathlib import Path

from tokenizers import Tokenizer

from epf.engines.onnx.pairs import PLAIN, STORIES
from epf.training.publish import publish
from epf.training.quantize import quantize_directory
from epf.training.reward_model.samples import write_samples
from epf.training.reward_model.train import Recipe, recipe_of, train_reward_model
from epf.training.second_reader.backbone import recipe, train_backbone


def main() -> None:
    """Sample, train and publish in 8 bits."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/second_reader"), help="folder for everything")
    parser.add_argument("--backbone-steps", type=int, default=250, help="optimiser steps of the backbone")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="optimiser steps of the reward model")
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    samples, backbone = args.out / "samples.jsonl", args.out / "backbone"
    write_samples(STORIES.generator, samples, n_problems=3_000, n=4, seed=args.seed)
    tokenizer = Tokenizer.from_file(str(PLAIN.generator / "tokenizer.json"))
    if not (backbone / "final").exists():
        model = train_backbone(tokenizer, PLAIN.generator, backbone, recipe(args.backbone_steps, args.seed))
        model.save_pretrained(backbone / "final")
    judge = recipe_of(args.steps, args.seed)
    final = args.out / "reward_model" / "final"
    train_reward_model(tokenizer, backbone / "final", samples, final.parent, judge).half().save_pretrained(final)
    publish(final, PLAIN.generator, args.out / "published", "stories-second-reward-model")
    quantize_directory(args.out / "published")


if __name__ == "__main__":
    main()
