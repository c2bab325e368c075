"""Measures a pair of models on problems that nobody trained on, with one sample, votes and search.

    python -m benchmarks.plain [--generator DIRECTORY [--reward-model DIRECTORY]] [--set NAME] [--limit N]

The sets are the battery of plain questions, by kind, SVAMP, and GSM8K's test problems of at most 160 characters. A question
that cannot be answered is solved by that conclusion. Without a reward model, methods that need one are left out.
The set ``held_out`` is for development: problems of forms that the pair ``plain`` is not trained on, by lines of the solution.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.engines.onnx.pairs import DEFAULT_PAIR, embedded_directory
from epf.evaluation.memo import MemoGenerator, MemoRewardModel
from epf.evaluation.report.statistics import accuracy
from epf.evaluation.right import is_right
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.registry import DATA, load_problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import SearchOptions, asolve
from epf.search.answers.checker import AnswerChecker
from epf.search.answers.conclusion import NOT_ENOUGH
from epf.training.plain.json_lines import read_rows
from epf.training.plain.kinds.draw import draw_held_out

WITHOUT_PRM: Mapping[str, SearchOptions] = {
    "one sample": SearchOptions(method="sample", n_particles=1),
    "majority of 8": SearchOptions(method="self_consistency", n_particles=8),
}
WITH_PRM: Mapping[str, SearchOptions] = {
    "best of 8": SearchOptions(method="best_of_n", n_particles=8),
    "epf, 8 particles": SearchOptions(method="epf", n_particles=8),
}
ARITHMETIC = ("arithmetic", "equation")
SIMPLE = "one and two events"
SETS = ("battery", "svamp", "gsm8k_short")
SHORT = 160
N_PARALLEL = 8
N_HELD_OUT = 300
_LINES = ("no line", "one line", "two lines", "more lines")


@dataclass(frozen=True, slots=True)
class Question:
    """A problem with its gold answer."""

    kind: str
    text: str
    answer: str


def questions(name: str) -> list[Question]:
    """Return the questions of ``battery``, ``svamp``, ``gsm8k_short`` or ``held_out``."""
    if name == "held_out":
        rng = np.random.default_rng(N_HELD_OUT)
        drawn = [draw_held_out(rng, "confidence") for _ in range(N_HELD_OUT)]
        return [Question(_LINES[min(len(p.lines), len(_LINES) - 1)], p.text, p.answer or NOT_ENOUGH) for p in drawn]
    if name == "battery":
        rows = read_rows(DATA / "plain_questions.jsonl")
        return [Question(row["kind"], row["problem"], row["answer"] or NOT_ENOUGH) for row in rows]
    problems = load_problems("gsm8k" if name == "gsm8k_short" else name)
    return [Question(name, p.text, p.gold) for p in problems if name != "gsm8k_short" or len(p.text) <= SHORT]


async def measure(asked: Sequence[Question], generator: Generator, reward_model: RewardModel | None) -> dict[str, list[bool]]:
    """Return for each method whether it solves each question."""
    shared, scores = MemoGenerator(generator), None if reward_model is None else MemoRewardModel(reward_model)
    checker, slots = AnswerChecker(), asyncio.Semaphore(N_PARALLEL)

    async def one(question: Question, options: SearchOptions, seed: int) -> bool:
        async with slots:
            chosen = SearchOptions(**options.chosen(), seed=seed)
            result = await asolve(question.text, options=chosen, generator=shared, reward_model=scores, checker=checker)
        return await is_right(checker, result.conclusion, question.answer)

    methods = WITHOUT_PRM if reward_model is None else {**WITHOUT_PRM, **WITH_PRM}
    try:
        return {
            name: list(await asyncio.gather(*(one(question, options, seed) for seed, question in enumerate(asked))))
            for name, options in methods.items()
        }
    finally:
        await checker.aclose()


def summary(asked: Sequence[Question], outcomes: Mapping[str, Sequence[bool]]) -> dict[str, Any]:
    """Return the share of questions solved in percent, with its interval: all, by kind and by group of kinds."""
    kinds = sorted({question.kind for question in asked})
    groups = {kind: {kind} for kind in kinds} if len(kinds) > 1 else {}
    if len(kinds) > 1:
        groups[SIMPLE] = {"one_event", "two_events"}
        groups["all word problems"] = set(kinds) - {*ARITHMETIC, "unanswerable"}
    groups["all"] = set(kinds)
    return {
        method: {
            name: _percent([right for question, right in zip(asked, rows, strict=True) if question.kind in members])
            for name, members in groups.items()
            if not members.isdisjoint(kinds)
        }
        for method, rows in outcomes.items()
    }


def _percent(right: Sequence[bool]) -> dict[str, float]:
    found = accuracy(np.array(right, dtype=np.float64))
    return {"n": len(right), "percent": 100 * found.mean, "low": 100 * found.low, "high": 100 * found.high}


async def _run(args: argparse.Namespace) -> dict[str, Any]:
    generator = EmbeddedGenerator(embedded_directory(args.generator, "generator"))
    reward_model = EmbeddedRewardModel(embedded_directory(args.reward_model, "reward_model")) if args.reward_model else None
    result = {}
    for name in args.set or SETS:
        asked = questions(name)[: args.limit]
        result[name] = summary(asked, await measure(asked, generator, reward_model))
    await generator.aclose()
    if reward_model is not None:
        await reward_model.aclose()
    return result


def _page(result: Mapping[str, Any]) -> str:
    lines = ["| set | method | questions | solved, % | 95 % interval |", "|---|---|---|---|---|"]
    for name, methods in result.items():
        for method, groups in methods.items():
            for group, row in groups.items():
                where = name if group == "all" else f"{name}: {group}"
                lines.append(
                    f"| {where} | {method} | {row['n']} | {row['percent']:.1f} | {row['low']:.0f} to {row['high']:.0f} |"
                )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", help="pair or model directory, searched without a reward model unless one is named")
    parser.add_argument("--reward-model", help="pair or model directory")
    parser.add_argument("--set", action="append", choices=(*SETS, "held_out"), help=f"default: {', '.join(SETS)}")
    parser.add_argument("--limit", type=int, help="maximum number of questions of each set")
    parser.add_argument("--out", type=Path, default=RESULTS / "plain.json")
    args = parser.parse_args()
    if args.generator is None:
        args.generator, args.reward_model = DEFAULT_PAIR.name, args.reward_model or DEFAULT_PAIR.name
    result = asyncio.run(_run(args))
    save(args.out, result, _page(result))


if __name__ == "__main__":
    main()
