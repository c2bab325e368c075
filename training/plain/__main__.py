"""Train the pair ``plain``: ``python -m epf.training.plain``. A run that was interrupted goes on where it was.

The stages are the tokenizer, the generator, solutions sampled from it, and the reward model, which continues from the
generator's weights. A stage whose result is in the folder is not repeated; the reward model's training starts anew.
"""

import argparse
import shutil
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from epf.training.plain.gsm8k.rows import templates, without_template
from epf.training.plain.kinds.draw import draw_held_out
from epf.training.plain.mixture import SHORT, Mixture
from epf.training.plain.problem import PlainProblem
from epf.training.plain.recipe import VOCABULARY, Recipe, reward_model_recipe
from epf.training.plain.reward_model.rows import batches
from epf.training.plain.reward_model.samples import write_samples
from epf.training.plain.train import AVERAGED, train
from epf.training.plain.unseen import Unseen
from epf.training.publish import TOKENIZER_FILES, publish
from epf.training.quantize import quantize_directory
from epf.training.reward_model.train import train_on
from epf.training.tokenizer import save_tokenizer, train_tokenizer

_TOKENIZER_PROBLEMS = 30_000
_SAMPLED_PROBLEMS, _HELD_OUT_PROBLEMS, _SAMPLES = 3_200, 4_000, 6


def main() -> None:
    """Train both models and publish them in 8 bits, or go on where the last run ended."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--gsm8k", type=Path, help="JSON Lines file of GSM8K's training problems; default: from the hub")
    parser.add_argument("--out", type=Path, default=Path("runs/plain"), help="folder for everything, the pair in OUT/pair")
    parser.add_argument("--start", type=Path, help="folder of a generator that an earlier run published, if OUT has no state")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="optimiser steps; three quarters at the full rate")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    args = parser.parse_args()
    mixture = Mixture(list(templates(args.gsm8k)))
    recipe = replace(Recipe(), steps=args.steps, decay_from=args.steps * 3 // 4, seed=args.seed)
    tokenizer = _tokenizer(args.out / "tokenizer", mixture, recipe, args.start)
    train(tokenizer, mixture, args.out / "generator", recipe, args.start)
    averaged, pair = args.out / "generator" / AVERAGED, args.out / "pair"
    publish(averaged, args.out / "tokenizer", pair / "generator", "plain-generator")

    seed = args.seed + 1
    known, new = args.out / "samples.jsonl", args.out / "samples_of_new_wordings.jsonl"
    others = _new_wordings(args.gsm8k, recipe.max_lines, np.random.default_rng([seed, _SAMPLED_PROBLEMS]))
    write_samples(
        pair / "generator",
        lambda index: mixture.draw(np.random.default_rng([seed, index]), recipe.max_lines),
        known,
        n_problems=_SAMPLED_PROBLEMS,
        n=_SAMPLES,
        seed=seed,
    )
    write_samples(pair / "generator", others.__getitem__, new, n_problems=len(others), n=_SAMPLES, seed=seed)
    judge_recipe = reward_model_recipe(args.seed + 2)
    stream = batches(tokenizer, mixture, known, new, judge_recipe, recipe.max_lines)
    model = train_on(stream, averaged, args.out / "reward_model", judge_recipe)
    model.half().save_pretrained(args.out / "reward_model" / "final")
    publish(args.out / "reward_model" / "final", args.out / "tokenizer", pair / "reward_model", "plain-reward-model")
    quantize_directory(pair / "generator")
    quantize_directory(pair / "reward_model")


def _new_wordings(gsm8k: Path | None, max_lines: int, rng: np.random.Generator) -> list[PlainProblem]:
    """Return problems on which the generator is not trained: short ones of GSM8K, and draws of the forms held out for it."""
    unseen = Unseen()

    def fits(problem: PlainProblem) -> bool:
        return len(problem.text) <= SHORT and len(problem.lines) <= max_lines and unseen(problem.text)

    return [
        *filter(fits, without_template(gsm8k)),
        *islice(filter(fits, (draw_held_out(rng, "reward model") for _ in count())), _HELD_OUT_PROBLEMS),
    ]


def _tokenizer(folder: Path, mixture: Mixture, recipe: Recipe, start: Path | None) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.exists() and start is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in TOKENIZER_FILES:
            shutil.copyfile(start / name, folder / name)
    elif not path.exists():
        rng = np.random.default_rng(recipe.seed)
        drawn = (mixture.draw(rng, recipe.max_lines) for _ in range(_TOKENIZER_PROBLEMS))
        save_tokenizer(train_tokenizer(drawn, VOCABULARY), folder)
    return Tokenizer.from_file(str(path))


if __name__ == "__main__":
    main()
