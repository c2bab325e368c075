"""How well the reward model of a pair separates right from wrong in real wordings: ``python -m benchmarks.plain_scores``.

On SVAMP and GSM8K's test problems of at most 160 characters, which nobody trained on: the share of pairs of a right and a wrong
partial solution of one problem, after the same number of steps, in which the right one has the higher score (AUC within a
problem at the same depth). A partial solution is right if a sample that ends with the right answer begins with it, so problems
without such a sample do not count. The interval is a bootstrap over problems.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from benchmarks.pair import pairs_won, score_all
from benchmarks.plain import questions
from epf.engines.onnx.pairs import DEFAULT_PAIR, embedded_directory
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search.answers.conclusion import NOT_ENOUGH
from epf.training.plain.cards import separation
from epf.training.plain.problem import PlainProblem, show
from epf.training.plain.reward_model.labels import right_characters, right_solutions
from epf.training.reward_model.samples import sample_many

SETS = ("svamp", "gsm8k_short")
N_DRAWS = 1_000


def labels_of(problem: PlainProblem, group: Sequence[tuple[str, ...]]) -> list[list[bool]]:
    """Return for each solution whether it is right so far, after each of its steps."""
    right = right_solutions(problem, group)
    return [[n == len(step) for n, step in zip(right_characters(right, steps), steps, strict=True)] for steps in group]


def auc(counted: np.ndarray) -> dict[str, float]:
    """Return the AUC with its 95 % interval from the pairs that are won and all pairs of each problem, ``(problems, 2)``."""
    rng = np.random.default_rng(0)
    drawn = counted[rng.integers(len(counted), size=(N_DRAWS, len(counted)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    won, pairs = counted.sum(axis=0)
    return {"auc": float(won / pairs), "low": float(low), "high": float(high)}


async def measure(generator: EmbeddedGenerator, model: EmbeddedRewardModel, name: str, n: int) -> dict[str, float]:
    """Return the figures of one set."""
    answered = [question for question in questions(name) if question.answer != NOT_ENOUGH]
    asked = [PlainProblem(question.text, (), show(float(question.answer.replace(",", "")))) for question in answered]
    sampled = await sample_many(generator, [SyntheticProblem(p.text, (), 0) for p in asked], n, seed=21)
    kept = [(p, group) for p, group in zip(asked, sampled, strict=True) if len(right_solutions(p, group)) > 1]
    solutions, labels = [group for _, group in kept], [labels_of(*row) for row in kept]
    scores = await score_all(model, [problem.text for problem, _ in kept], solutions)
    counted = np.array([pairs_won(*row) for row in zip(labels, solutions, scores, strict=True)])
    return {"n": len(kept), **auc(counted)}


async def _run(args: argparse.Namespace) -> dict[str, Any]:
    generator, model = (
        EmbeddedGenerator(embedded_directory(args.generator, "generator")),
        EmbeddedRewardModel(embedded_directory(args.reward_model, "reward_model")),
    )
    result = {name: await measure(generator, model, name, args.n) for name in SETS}
    await generator.aclose()
    await model.aclose()
    return result


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default=DEFAULT_PAIR.name, help="pair or model directory")
    parser.add_argument("--reward-model", default=DEFAULT_PAIR.name, help="pair or model directory")
    parser.add_argument("--n", type=int, default=8, help="samples of each problem")
    parser.add_argument("--out", type=Path, default=RESULTS / "plain_scores.json")
    args = parser.parse_args()
    result = asyncio.run(_run(args))
    save(args.out, result, separation(result) + "\n")


if __name__ == "__main__":
    main()
