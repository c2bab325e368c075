"""Fits the confidence map of a pair that ships.

``python -m epf.training.confidence --data DIRECTORY`` searches on problems inside and outside of what the pair was trained on,
and fits the map. The directory holds ``gsm8k_train.jsonl`` of openai/grade-school-math. The searches take about half an hour on
two cores; an interrupted run goes on where it was.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from epf.engines.onnx.pairs import DEFAULT_PAIR, PAIRS, ShippedPair
from epf.evaluation.run import Evaluation, evaluate
from epf.evaluation.store import read_run
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.problem import Problem
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search.confidence.file import save_map
from epf.service.searches.models import Models, with_checker
from epf.training.confidence.fit import fit_pair
from epf.training.confidence.problems import OF_PAIR, write

METHODS = "epf,best_of_n,self_consistency,dvts"
BUDGETS = (1, 4, 16)


async def search(found: list[Problem], directory: Path, pair: ShippedPair) -> None:
    """Search on every problem with every method and budget, and keep the rows in ``directory``."""

    @asynccontextmanager
    async def load_models() -> AsyncIterator[Models]:
        async with (
            aclosing(EmbeddedGenerator(pair.generator)) as generator,
            aclosing(EmbeddedRewardModel(pair.reward_model)) as reward_model,
            with_checker(generator, reward_model) as models,
        ):
            yield models

    directory.mkdir(parents=True, exist_ok=True)
    write(found, directory / "problems.jsonl")
    evaluation = Evaluation(
        str(directory / "problems.jsonl"),
        directory / "run",
        METHODS,
        BUDGETS,
        seeds=1,
        timed=0,
        models={name: {"kind": "embedded", "name": pair.name} for name in ("generator", "reward_model")},
    )
    await evaluate(evaluation, load_models)


def main() -> None:
    """Search and fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory of gsm8k_train.jsonl")
    parser.add_argument("--pair", choices=OF_PAIR, default=DEFAULT_PAIR.name, help="name of the pair (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs/confidence"), help="directory of the searches")
    arguments = parser.parse_args()
    pair, runs = PAIRS[arguments.pair], arguments.runs / arguments.pair
    problems = OF_PAIR[pair.name](arguments.data / "gsm8k_train.jsonl")
    others = [problem for source in problems.outside for problem in source]
    for name, found in (("outside", others), ("inside", problems.inside)):
        asyncio.run(search(found, runs / name, pair))
    here, there = (read_run(runs / name / "run")[1] for name in ("inside", "outside"))
    texts = [{problem.id: problem.text for problem in source} for source in problems.outside]
    fitted = fit_pair(here, there, texts, problems.known, problems.fresh)
    save_map(fitted, pair.confidence)
    print(f"fitted on {fitted.n_searches} searches: {pair.confidence}")


if __name__ == "__main__":
    main()
