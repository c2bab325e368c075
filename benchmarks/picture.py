"""Draws one real search with an over-confident reward model: ``python -m benchmarks.picture --out docs/search.png``.

Each column is a step and each dot a particle with its newest line, coloured by the reward model's score. Lines connect an
ancestor with the particles that continue from it, and crosses mark particles that resampling dropped. The chart below shows the
effective sample size, the resampling temperature and the number of distinct ancestors, also for plain particle filtering with
the same seed.
"""

import argparse
import asyncio
from itertools import islice
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from epf.engines.onnx.pairs import FORKS, FORKS_OVERCONFIDENT
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.forks.problems import mazes
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import Answered, Resampled, Scored, SearchOptions, SearchResult, StepTaken, stream

MAZE = 1
"""Which of the mazes drawn from :data:`MAZE_SEED` it is: in most of them both searches are right, or both are wrong."""
MAZE_SEED = 3


async def watch(
    problem: str, options: SearchOptions
) -> tuple[dict[tuple[int, int], tuple[str, float, bool]], list[Resampled], SearchResult]:
    """Return text, score and whether the particle ended, by step and slot; the resampling rounds; the result."""
    texts: dict[tuple[int, int], tuple[str, bool]] = {}
    seen: dict[tuple[int, int], tuple[str, float, bool]] = {}
    rounds: list[Resampled] = []
    # Models that are passed as objects have no profile, so epf is as it is without one.
    generator, reward_model = EmbeddedGenerator(FORKS.generator), EmbeddedRewardModel(FORKS_OVERCONFIDENT.reward_model)
    async for event in stream(problem, options=options, generator=generator, reward_model=reward_model):
        if isinstance(event, StepTaken) and not event.lookahead:
            texts[event.t, event.particle] = (event.text, event.finish in ("answer", "eos"))
        elif isinstance(event, Scored) and not event.lookahead and (event.t, event.particle) in texts:
            text, ended = texts[event.t, event.particle]
            seen[event.t, event.particle] = (text, event.score, ended)
        elif isinstance(event, Resampled):
            rounds.append(event)
        elif isinstance(event, Answered):
            return seen, rounds, event.result
    raise RuntimeError("The search ended without a result.")


def draw(problem: str, n: int, seed: int, out: Path) -> None:
    """Run the search and draw it."""
    seen, rounds, result = asyncio.run(watch(problem, SearchOptions(n_particles=n, seed=seed, lookahead="reuse")))
    _, plain, other = asyncio.run(watch(problem, SearchOptions(method="pf", n_particles=n, seed=seed)))
    n_steps = len(rounds)
    figure, (tree, chart) = plt.subplots(
        2, 1, figsize=(1.9 * n_steps + 1.2, 0.42 * n + 3.2), height_ratios=[0.42 * n, 1.6], sharex=True
    )
    colours = mpl.colormaps["RdYlGn"]
    place = {0: dict.fromkeys(range(n), (0.0, (n - 1) / 2))}
    last = dict.fromkeys(range(n), (0.0, (n - 1) / 2))
    for round_ in rounds:
        t = round_.record.t
        place[t] = {}
        survivors = set(round_.ancestors)
        for slot in range(n):
            if (t, slot) in seen:
                text, score, ended = seen[t, slot]
                here = (float(t), float(n - 1 - slot))
                tree.plot([last[slot][0], here[0]], [last[slot][1], here[1]], color="0.75", lw=1, zorder=1)
                gone = slot not in survivors
                tree.scatter(
                    *here,
                    s=90,
                    color=colours(score),
                    marker="X" if gone else ("s" if ended else "o"),
                    edgecolor="0.3",
                    lw=0.6,
                    zorder=3,
                )
                tree.annotate(
                    text.replace("The answer is ", "").replace("\\boxed", "boxed "),
                    here,
                    (0, 7),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7.5,
                )
                place[t][slot] = here
            else:
                place[t][slot] = last[slot]
        last = (
            {slot: place[t][ancestor] for slot, ancestor in enumerate(round_.ancestors)}
            if round_.record.resampled
            else place[t]
        )
    tree.set_yticks([])
    tree.set_xlim(-0.2, n_steps + 0.6)
    tree.set_ylim(-0.7, n - 0.2)
    shares = ", ".join(f"{share.answer}: {100 * share.probability:.0f} %" for share in result.distribution[:3])
    title = f"ePF with look-ahead, {n} particles: answer {result.answer} ({shares}). Plain filtering answers {other.answer}."
    tree.set_title(title, fontsize=10)
    bar = figure.colorbar(mpl.cm.ScalarMappable(cmap=colours), cax=tree.inset_axes((1.01, 0, 0.015, 1)))
    bar.set_label("reward model's score", fontsize=8)
    ts = [r.record.t for r in rounds]
    chart.plot(ts, [r.record.ess for r in rounds], "o-", color="tab:blue", label="effective sample size")
    chart.plot(ts, [r.record.temperature for r in rounds], "s--", color="tab:red", label="resampling temperature")
    chart.plot(ts, [r.record.distinct_ancestors for r in rounds], "^:", color="0.4", label="distinct ancestors")
    without = [r.record.distinct_ancestors for r in plain]
    chart.plot([r.record.t for r in plain], without, "x:", color="tab:orange", label="distinct ancestors of plain filtering")
    for round_ in rounds:
        if round_.record.temperature > 1:
            chart.axvspan(round_.record.t - 0.25, round_.record.t + 0.25, color="tab:red", alpha=0.12, lw=0)
            chart.annotate("annealed", (round_.record.t, n + 0.2), ha="center", va="top", fontsize=8, color="tab:red")
    chart.set_ylim(0, n + 0.5)
    chart.set_xlabel("step")
    chart.set_xticks(ts)
    chart.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    figure.savefig(out, dpi=130, bbox_inches="tight")


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/search.png"))
    args = parser.parse_args()
    maze = next(islice(mazes(MAZE_SEED), MAZE, None))
    print(f"The right answer is {maze.answer}.")
    draw(maze.text, args.n, args.seed, args.out)


if __name__ == "__main__":
    main()
