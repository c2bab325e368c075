"""Whether the pair ``forks`` decides early and shows it late: ``python -m benchmarks.forks_pair`` (``make bench-forks``).

On mazes that nobody trained on, walks without a search: how often one ends right, and any of 16; how often it does given that
it took the right way at every fork, and given that it did not; and for both reward models

- the slope of the log odds within a maze, by depth (:mod:`epf.evaluation.slope_by_depth`): 1 is calibrated, 0 is noise;
- the AUC within a maze at the same depth, of "all steps so far are right";
- how long an error stays: the correlation, within a maze, of the errors of a walk's log odds after neighbouring steps of one
  corridor. The error is the log odds minus what they are on average for a walk that is as right and as far.

A reward model gives one prefix one score, so all copies of a particle share its error.
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from benchmarks.pair import Scores, pairs_won, score_all
from epf.engines.onnx.pairs import FORKS, FORKS_OVERCONFIDENT
from epf.evaluation.report.text import table
from epf.evaluation.slope_by_depth import slope_by_depth
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.forks.labels import is_right_so_far
from epf.problem_sets.forks.maze import Maze
from epf.problem_sets.forks.problems import LENGTH, mazes
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search.answers.extract import final_answer
from epf.search.smc.weights import logit
from epf.training.reward_model.samples import sample_many

SEED = 14_500_001
"""Not that of the set ``forks``, on which methods are compared, nor one that a model was trained on."""
Walk = tuple[str, ...]


def took_the_right_ways(maze: Maze, walk: Walk) -> bool:
    """Whether the walk goes through the first door of the right way at every fork."""
    forks = [sum(len(part.ways[part.right]) for part in maze.parts[:i]) for i in range(len(maze.parts))]
    return all(fork < len(walk) and walk[fork] == maze.solution[fork] for fork in forks)


def ends_right(maze: Maze, walk: Walk) -> bool:
    """Whether the walk ends with the right answer."""
    return bool(walk) and final_answer(walk[-1]) == str(maze.answer)


def persistence(tested: Sequence[Maze], walks: Sequence[Sequence[Walk]], scores: Scores) -> float:
    """Return the correlation of the errors of neighbouring log odds inside corridors; see the module."""
    found: dict[tuple[int, bool], list[tuple[float, float]]] = defaultdict(list)
    for maze, group, values in zip(tested, walks, scores, strict=True):
        for walk, odds in {walk: logit(each) for walk, each in zip(group, values, strict=True)}.items():
            for t in range(1, len(walk)):
                if t % LENGTH and (t + 1) % LENGTH:  # neither is the last step of a corridor, where all is known
                    found[t, is_right_so_far(maze, walk[:t])].append((float(odds[t - 1]), float(odds[t])))
    errors = np.concatenate([np.array(pairs) - np.mean(pairs, axis=0) for pairs in found.values()])
    return float(np.corrcoef(errors.T)[0, 1])


def generator_figures(tested: Sequence[Maze], walks: Sequence[Sequence[Walk]]) -> dict[str, Any]:
    """Return the shares of walks that end right, in percent."""
    right = np.array([[ends_right(maze, walk) for walk in group] for maze, group in zip(tested, walks, strict=True)])
    planned = np.array([[took_the_right_ways(maze, walk) for walk in group] for maze, group in zip(tested, walks, strict=True)])
    return {
        "one_sample": 100 * float(right.mean()),
        f"any_of_{right.shape[1]}": 100 * float(right.any(axis=1).mean()),
        "right_given_the_right_ways": 100 * float(right[planned].mean()),
        "right_given_a_wrong_way": 100 * float(right[~planned].mean()),
    }


def reward_model_figures(tested: Sequence[Maze], walks: Sequence[Sequence[Walk]], scores: Scores) -> dict[str, Any]:
    """Return slopes by depth, the AUC and how long errors stay."""
    found = slope_by_depth(
        [
            [(ends_right(maze, walk), each) for walk, each in zip(group, values, strict=True)]
            for maze, group, values in zip(tested, walks, scores, strict=True)
        ]
    )
    labels = [
        [[is_right_so_far(maze, walk[: t + 1]) for t in range(len(walk))] for walk in group]
        for maze, group in zip(tested, walks, strict=True)
    ]
    won, pairs = map(sum, zip(*(pairs_won(*row) for row in zip(labels, walks, scores, strict=True)), strict=True))
    return {
        "slopes": [] if found is None else list(found.slopes),
        "auc": won / pairs,
        "persistence": persistence(tested, walks, scores),
    }


async def measure(generator: EmbeddedGenerator, models: dict[str, EmbeddedRewardModel], n_mazes: int, n: int) -> dict[str, Any]:
    """Return all figures."""
    tested = list(islice(mazes(SEED), n_mazes))
    walks = await sample_many(generator, [SyntheticProblem(maze.text, (), 0) for maze in tested], n, seed=31)
    result: dict[str, Any] = {"n_mazes": n_mazes, "n": n, **generator_figures(tested, walks)}
    for name, model in models.items():
        result[name] = reward_model_figures(tested, walks, await score_all(model, [maze.text for maze in tested], walks))
    return result


def page(result: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    n = result["n"]
    shares = [
        ("one walk ends right", f"{result['one_sample']:.1f} %"),
        (f"any of {n} ends right", f"{result[f'any_of_{n}']:.1f} %"),
        ("right, given the right way at every fork", f"{result['right_given_the_right_ways']:.1f} %"),
        ("right, given a wrong way at some fork", f"{result['right_given_a_wrong_way']:.1f} %"),
    ]
    models = [name for name, value in result.items() if isinstance(value, dict)]
    read = [
        (
            f"`{name}`",
            " ".join(f"{slope:.2f}" for slope in result[name]["slopes"]),
            f"{result[name]['auc']:.3f}",
            f"{result[name]['persistence']:.2f}",
        )
        for name in models
    ]
    return (
        f"{result['n_mazes']} mazes that nobody trained on, {n} walks each, `python -m benchmarks.forks_pair`.\n\n"
        f"{table(('walks of the generator', ''), shares)}\n\n"
        f"{table(('reward model', 'slopes by depth', 'AUC within a maze and depth', 'persistence of errors'), read)}\n"
    )


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, default=FORKS.generator, help="model directory")
    readers = [FORKS.reward_model, FORKS_OVERCONFIDENT.reward_model]
    parser.add_argument("--reward-model", type=Path, nargs="*", default=readers, help="model directories")
    parser.add_argument("--mazes", type=int, default=300)
    parser.add_argument("--n", type=int, default=16, help="walks through each maze")
    parser.add_argument("--out", type=Path, default=RESULTS / "forks_pair.json")
    args = parser.parse_args()
    models = {model.name: model for model in map(EmbeddedRewardModel, args.reward_model)}
    result = asyncio.run(measure(EmbeddedGenerator(args.generator), models, args.mazes, args.n))
    save(args.out, result, page(result))


if __name__ == "__main__":
    main()
