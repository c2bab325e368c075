"""Calibration of the pair ``stories``' reward model, before and after fitting a map: ``python -m benchmarks.calibration``.

Writes ``benchmarks/results/calibration.json``, ``.md`` and ``.png``, and the fitted map for ``EPF_REWARD_MODEL__CALIBRATION``
as ``stories-reward-model.calibration.json``. The pair's generator samples the solutions. A step is right if it and all steps
before it are (exact labels). The maps are fitted on one half of the problems and measured on the other half, and on problems
with other wordings, which shows how well they transfer.
"""

import argparse
import asyncio
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.output import RESULTS, save
from benchmarks.pair import score_all
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.labels import step_labels
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.calibration import CLIP, Calibration, expected_calibration_error, fit, reliability
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.training.reward_model.samples import sample_many

SEED = 11
N = 16
COMMAND = "python -m benchmarks.calibration"

Floats = NDArray[np.float64]
Steps = tuple[Floats, Floats]
"""Scores and labels of all steps of some problems, each ``(n,)``."""


async def labelled(split: str, n_problems: int) -> list[Steps]:
    """Return scores and labels of every step of every sampled solution, as one pair of arrays per problem."""
    generator, model = EmbeddedGenerator(STORIES.generator), EmbeddedRewardModel(STORIES.reward_model)
    try:
        drawn = list(islice(problems(7_000_001, split, 4, 8), n_problems))
        solutions = await sample_many(generator, drawn, N, seed=SEED)
        scores = await score_all(model, [problem.text for problem in drawn], solutions)
    finally:
        await generator.aclose()
        await model.aclose()
    return [
        (
            np.array([score for of_one in group_scores for score in of_one]),
            np.array([label for steps in group for label in step_labels(problem, steps)], np.float64),
        )
        for problem, group, group_scores in zip(drawn, solutions, scores, strict=True)
    ]


def concatenated(parts: list[Steps]) -> Steps:
    """Concatenate several pairs of arrays."""
    return np.concatenate([p for p, _ in parts]), np.concatenate([y for _, y in parts])


def mapped(scores: Floats, calibration: Calibration | None) -> Floats:
    """Return the scores after a calibration, or unchanged if it is None."""
    return scores if calibration is None else np.array([calibration(score) for score in scores])


def figures(scores: Floats, labels: Floats) -> dict[str, float]:
    """Return expected calibration error in percent, mean log loss in nats, and Brier score."""
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    log_loss = -np.mean(labels * np.log(clipped) + (1 - labels) * np.log(1 - clipped))
    return {
        "ece_percent": 100 * expected_calibration_error(scores, labels),
        "log_loss": float(log_loss),
        "brier": float(np.mean((scores - labels) ** 2)),
    }


async def measure(n_problems: int, out: Path) -> dict[str, Any]:
    """Return all figures and write the Platt map to ``out``."""
    known = await labelled("test", n_problems)
    reworded = concatenated(await labelled("wordings", n_problems))
    fitted_on, held_out = concatenated(known[: n_problems // 2]), concatenated(known[n_problems // 2 :])
    name = STORIES.model_name("reward_model")
    platt = fit(*fitted_on, model=name, method="platt")
    maps: dict[str, Calibration | None] = {
        "none": None,
        "platt": platt,
        "isotonic": fit(*fitted_on, model=name, method="isotonic"),
    }
    platt.save(out / f"{name}.calibration.json")
    return {
        "command": COMMAND,
        "n_problems": {"fitted": n_problems // 2, "measured": n_problems - n_problems // 2, "other_wordings": n_problems},
        "n_steps": {"fitted": len(fitted_on[0]), "measured": len(held_out[0]), "other_wordings": len(reworded[0])},
        "solutions_per_problem": N,
        "platt": {"slope": platt.slope, "bias": platt.bias},
        "measured": {key: figures(mapped(held_out[0], m), held_out[1]) for key, m in maps.items()},
        "other_wordings": {key: figures(mapped(reworded[0], m), reworded[1]) for key, m in maps.items()},
        "reliability": {key: reliability(mapped(held_out[0], m), held_out[1]).tolist() for key, m in maps.items()},
    }


def page(result: dict[str, Any]) -> str:
    """Return the figures as a Markdown page."""
    n, steps = result["n_problems"], result["n_steps"]
    rows = [
        f"| {name} | "
        + " | ".join(
            f"{result[place][name]['ece_percent']:.1f} | {result[place][name]['log_loss']:.3f}"
            for place in ("measured", "other_wordings")
        )
        + " |"
        for name in ("none", "platt", "isotonic")
    ]
    return "\n".join(
        [
            "# Calibration of the reward model of `stories`",
            "",
            f"`{COMMAND}`: {N} solutions of each problem (4 to 8 steps, temperature 0.8), scored after every step. The maps",
            f"are fitted on {n['fitted']} problems ({steps['fitted']} steps) and measured on {n['measured']} others "
            f"({steps['measured']} steps)",
            f"and on {n['other_wordings']} problems with mostly other wordings ({steps['other_wordings']} steps). Expected",
            "calibration error (ECE) in percent over 10 bins of equal width, mean log loss in nats; lower is better.",
            "",
            "| map | ECE, held-out problems | log loss | ECE, other wordings | log loss |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"Platt: `sigmoid({result['platt']['slope']:.3f} * logit + {result['platt']['bias']:.3f})`.",
            "",
            "![Reliability diagram](calibration.png)",
            "",
        ]
    )


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw the reliability diagram: the share of right steps against the mean score, by bin."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(2, 1, figsize=(5, 6), height_ratios=(4, 1), sharex=True, layout="constrained")
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="calibrated")
    for name, rows in result["reliability"].items():
        score, share, fraction = np.array(rows).T
        error = result["measured"][name]["ece_percent"]
        left.plot(score, share, marker="o", markersize=4, label=f"{name}: ECE {error:.1f} %")
        right.plot(score, fraction, marker="o", markersize=4)
    left.set(ylabel="share of steps that are right", xlim=(0, 1), ylim=(0, 1))
    left.legend(loc="upper left")
    right.set(xlabel="mean score", ylabel="fraction of steps")
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main() -> None:
    """Measure the figures, write them and draw the diagram."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.problems, arguments.out))
    draw(result, arguments.out / "calibration.png")
    save(arguments.out / "calibration", result, page(result))


if __name__ == "__main__":
    main()
