"""Train the reward model of ``stories``: ``python -m epf.training.reward_model``, after ``python -m epf.training.generator``.

Samples solutions of training problems with the shipped generator, trains from the last checkpoint of the generator (the shipped
one is earlier and weaker on purpose, and a verifier must know more), and publishes the result.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from epf.engines.onnx.pairs import STORIES
from epf.training.publish import publish
from epf.training.reward_model.samples import write_samples
from epf.training.reward_model.train import Recipe, recipe_of, train_reward_model


def main() -> None:
    """Sample, train and publish. Samples from an earlier run in the folder are reused."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--generator", type=Path, default=STORIES.generator, help="model directory to sample with")
    parser.add_argument("--backbone", type=Path, default=Path("runs/generator/final"), help="checkpoint to start from")
    parser.add_argument("--out", type=Path, default=Path("runs/reward_model"), help="folder for samples, checkpoints and log")
    parser.add_argument("--publish", type=Path, default=STORIES.reward_model, help="model directory to write")
    parser.add_argument("--problems", type=int, default=3_000, help="number of problems to sample solutions for")
    parser.add_argument("--n", type=int, default=4, help="number of solutions per problem")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="optimiser steps")
    parser.add_argument(
        "--extra-layers", type=int, default=Recipe().extra_layers, help="number of layers to train on top of the backbone"
    )
    parser.add_argument("--teacher", type=Path, help="directory of a stronger reward model whose ranking is distilled")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    samples = args.out / "samples.jsonl"
    write_samples(args.generator, samples, args.problems, args.n, args.seed)
    tokenizer = Tokenizer.from_file(str(args.generator / "tokenizer.json"))
    recipe = replace(recipe_of(args.steps, args.seed), extra_layers=args.extra_layers)
    model = train_reward_model(tokenizer, args.backbone, samples, args.out, recipe, args.teacher)
    model.save_pretrained(args.out / "final")
    publish(args.out / "final", args.generator, args.publish, STORIES.model_name("reward_model"))


if __name__ == "__main__":
    main()
