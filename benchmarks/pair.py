"""Strength of the embedded pair: ``python -m benchmarks.pair``; writes ``benchmarks/results/pair.json``.

On held-out problems of 4 to 8 steps: one sample, any of 16, majority of 16, best of 16 by the reward model, and how well the
reward model separates right from wrong **within a problem at the same depth** (AUC over pairs of solutions of one problem after
the same number of steps). Over-confidence compares the mean score with the share still right and the share that ends right, by
depth. On real problems, if their files are available: how often the greedy solution is right.
"""

import argparse
import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.labels import step_labels
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.calibration import expected_calibration_error
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search.answers.extract import final_answer
from epf.training.reward_model.samples import sample_many

Solutions = list[list[tuple[str, ...]]]
Scores = list[list[list[float]]]
"""A score for each step of each solution of each problem."""


async def score_all(model: EmbeddedRewardModel, texts: Sequence[str], solutions: Solutions) -> Scores:
    """Score every solution of the problems with these texts after each of its steps."""

    async def one(text: str, steps: tuple[str, ...]) -> list[float]:
        return [(await model.score(text, steps[: i + 1])).probability for i in range(len(steps))]

    scored = []
    for text, group in zip(texts, solutions, strict=True):
        scored.append(list(await asyncio.gather(*(one(text, steps) for steps in group))))
    return scored


def pairs_won(
    labels: Sequence[Sequence[bool]], solutions: Sequence[tuple[str, ...]], scores: Sequence[Sequence[float]]
) -> tuple[float, int]:
    """Return how many (right, wrong) pairs of one depth the scores rank correctly, and how many there are; ties count half.

    All arguments are of one problem; solutions that are the same up to a depth count once there.
    """
    won, pairs = 0.0, 0
    for depth in range(max(len(steps) for steps in solutions)):
        at_depth = {
            (steps[: depth + 1], label[depth], s[depth])
            for steps, label, s in zip(solutions, labels, scores, strict=True)
            if len(steps) > depth
        }
        right = np.array([s for _, label, s in at_depth if label])
        wrong = np.array([s for _, label, s in at_depth if not label])
        won += float((right[:, None] > wrong).sum() + 0.5 * (right[:, None] == wrong).sum())
        pairs += right.size * wrong.size
    return won, pairs


def auc_within(tested: Sequence[SyntheticProblem], solutions: Solutions, scores: Scores) -> float:
    """Return the share of (right, wrong) pairs of one problem and depth that the scores rank correctly."""
    counted = [
        pairs_won([step_labels(problem, steps) for steps in group], group, group_scores)
        for problem, group, group_scores in zip(tested, solutions, scores, strict=True)
    ]
    won, pairs = map(sum, zip(*counted, strict=True))
    return won / pairs if pairs else float("nan")


def answer_is_right(problem: SyntheticProblem, steps: Sequence[str]) -> bool:
    """Whether the solution ends with the right number in a box."""
    return bool(steps) and final_answer(steps[-1]) == str(problem.answer)


def strength(tested: Sequence[SyntheticProblem], solutions: Solutions, scores: Scores) -> dict[str, float]:
    """Return the shares of problems solved, in percent, by each simple way to use the samples."""
    rows = []
    for problem, group, group_scores in zip(tested, solutions, scores, strict=True):
        right = np.array([answer_is_right(problem, steps) for steps in group])
        answers = Counter(a for steps in group if (a := final_answer(steps[-1])) is not None)
        top = answers.most_common(1)[0][0] if answers else None
        final = [s[-1] if final_answer(steps[-1]) else 0.0 for steps, s in zip(group, group_scores, strict=True)]
        rows.append((right.mean(), right.any(), top == str(problem.answer), right[int(np.argmax(final))]))
    single, any_, majority, best = 100 * np.array(rows, dtype=np.float64).mean(axis=0)
    return {"one_sample": single, "any_of_n": any_, "majority_of_n": majority, "best_of_n_by_prm": best}


def by_depth(tested: Sequence[SyntheticProblem], solutions: Solutions, scores: Scores) -> list[dict[str, float]]:
    """Return the mean score after step t, the share of prefixes still right and the share of solutions that end right."""
    rows: dict[int, list[tuple[float, bool, bool]]] = {}
    for problem, group, group_scores in zip(tested, solutions, scores, strict=True):
        for steps, s in zip(group, group_scores, strict=True):
            for t, (label, score) in enumerate(zip(step_labels(problem, steps), s, strict=True), start=1):
                rows.setdefault(t, []).append((score, label, answer_is_right(problem, steps)))
    table = {t: np.array(values, dtype=np.float64).mean(axis=0) for t, values in sorted(rows.items()) if len(values) >= 100}
    return [{"t": t, "n": len(rows[t]), "mean_score": m[0], "still_right": m[1], "ends_right": m[2]} for t, m in table.items()]


def ece(tested: Sequence[SyntheticProblem], solutions: Solutions, scores: Scores) -> float:
    """Return the expected calibration error of step scores against "still right", in percent, over ten bins of equal width."""
    labels = [
        label for problem, group in zip(tested, solutions, strict=True) for s in group for label in step_labels(problem, s)
    ]
    return 100 * expected_calibration_error([score for group in scores for s in group for score in s], labels)


def real_problems(folder: Path) -> dict[str, list[tuple[str, float]]]:
    """Return SVAMP and the short problems of GSM8K's training set (at most 160 characters), as (problem, answer)."""
    out: dict[str, list[tuple[str, float]]] = {}
    if (folder / "svamp.jsonl").exists():
        rows = [json.loads(line) for line in (folder / "svamp.jsonl").read_text().splitlines()]
        out["svamp"] = [(f"{r['Body'].rstrip('.')}. {r['Question']}".replace("?.", "?"), float(r["Answer"])) for r in rows]
    if (folder / "gsm8k_train.jsonl").exists():
        rows = [json.loads(line) for line in (folder / "gsm8k_train.jsonl").read_text().splitlines()]
        short = [r for r in rows if len(r["question"]) <= 160]
        out["gsm8k_short"] = [(r["question"], float(re.sub("[,$]", "", r["answer"].rsplit("####", 1)[1]))) for r in short]
    return out


async def measure(
    generator: EmbeddedGenerator, model: EmbeddedRewardModel | None, n_problems: int, n: int, real: Path
) -> dict[str, Any]:
    """Return all figures."""
    result: dict[str, Any] = {"n_problems": n_problems, "n": n, "temperature": 0.8}
    for split in ("test", "wordings"):
        held_out = list(islice(problems(7_000_001, split, 4, 8), n_problems))
        start = time.perf_counter()
        solutions = await sample_many(generator, held_out, n, seed=11)
        sampling_s = time.perf_counter() - start
        start = time.perf_counter()
        scores = (
            await score_all(model, [problem.text for problem in held_out], solutions)
            if model
            else [[[0.5] * len(s) for s in group] for group in solutions]
        )
        figures: dict[str, Any] = dict(strength(held_out, solutions, scores))
        if model:
            figures |= {
                "prm_auc_within_problem_and_depth": auc_within(held_out, solutions, scores),
                "prm_ece_percent": ece(held_out, solutions, scores),
                "by_depth": by_depth(held_out, solutions, scores),
            }
        figures["by_steps"] = {}
        for k in range(4, 9):
            chosen = [i for i, problem in enumerate(held_out) if problem.n_steps == k]
            figures["by_steps"][k] = strength(
                [held_out[i] for i in chosen], [solutions[i] for i in chosen], [scores[i] for i in chosen]
            )
        figures |= {"sampling_s": sampling_s, "scoring_s": time.perf_counter() - start}
        result[split] = figures
    short = list(islice(problems(7_000_002, "test", 1, 3), n_problems))
    greedy = await sample_many(generator, short, 1, seed=12, temperature=0.0)
    result["greedy_1_to_3_steps"] = 100 * float(np.mean([answer_is_right(p, g[0]) for p, g in zip(short, greedy, strict=True)]))
    for name, rows in real_problems(real).items():
        asked = [SyntheticProblem(text, (), 0) for text, _ in rows]
        solved = await sample_many(generator, asked, 1, seed=13, temperature=0.0)
        right = [
            _number(final_answer(g[0][-1]) if g[0] else None) == answer for g, (_, answer) in zip(solved, rows, strict=True)
        ]
        result[name] = {"n": len(rows), "greedy_right_percent": 100 * float(np.mean(right))}
    return result


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generator", type=Path, default=None, help="model directory (default: the shipped one)")
    parser.add_argument("--reward-model", type=Path, default=None, help="model directory (default: the shipped one)")
    parser.add_argument("--no-reward-model", action="store_true")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument(
        "--real",
        type=Path,
        default=Path(__file__).parents[2] / "shared" / "data",
        help="folder with svamp.jsonl, gsm8k_train.jsonl",
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "pair.json")
    args = parser.parse_args()
    generator = EmbeddedGenerator(args.generator) if args.generator else EmbeddedGenerator(STORIES.generator)
    model = None
    if not args.no_reward_model:
        model = EmbeddedRewardModel(args.reward_model) if args.reward_model else EmbeddedRewardModel(STORIES.reward_model)
    result = asyncio.run(measure(generator, model, args.problems, args.n, args.real))
    save(args.out, result)


if __name__ == "__main__":
    main()
