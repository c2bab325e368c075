"""What ``epf tune`` finds in worlds where it is known what helps: ``python -m benchmarks.tuning``.

Writes ``benchmarks/results/tuning.json`` and ``.md``. In each world the tuner learns from 300 problems with 3000 searches. What
it chose is then compared with the default, at the same number of particles, on 1000 other problems.
"""

import argparse
import asyncio
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.output import RESULTS, save
from benchmarks.regimes.cells import ALL
from benchmarks.regimes.trials import WorldTrials
from epf.evaluation.profile.candidates import default
from epf.evaluation.profile.tune import tune
from epf.evaluation.report.statistics import accuracy, difference
from epf.evaluation.report.text import percent, signed, table

COMMAND = "make bench-tune"
WORLDS = (
    "plan, noisy early",
    "plan, noisy and over-confident",
    "plan, calibrated",
    "forks, 3 stages of 3 ways",
    "forks, 3 stages of 3 ways, calibrated",
)
N_PROBLEMS, N_SEARCHES, N_OTHERS = 300, 3000, 1000
SEED, OTHER_SEED = 1, 2


def measure(name: str) -> dict[str, Any]:
    """Tune in one world, and measure on other problems what was chosen; in percent and points."""
    world = ALL[name].world

    async def work() -> dict[str, Any]:
        trials = WorldTrials(world, N_PROBLEMS, SEED)
        tuned = await tune(trials, N_SEARCHES)
        chosen, base = tuned.chosen, default(tuned.chosen.n_particles)
        right = await WorldTrials(world, N_OTHERS, OTHER_SEED).search((base, chosen), range(N_OTHERS), 1)
        return {
            "world": name,
            "chosen": chosen.name,
            "n_particles": chosen.n_particles,
            "default": percent(accuracy(right[base.name])),
            "tuned": percent(accuracy(right[chosen.name])),
            "gain": signed(difference(right[chosen.name] - right[base.name])),
            "findings": tuned.findings,
            "n_searches": trials.n_searches,
        }

    return asyncio.run(work())


def page(result: dict[str, Any]) -> str:
    """The figures as a Markdown page."""
    rows = [[one[key] for key in ("world", "chosen", "n_particles", "default", "tuned", "gain")] for one in result["worlds"]]
    header = ("world", "chosen", "N", "default at this N, in %", "tuned, in %", "gain in points")
    about = (
        f"`{COMMAND}`: the tuner learned from {N_PROBLEMS} problems of each world with {N_SEARCHES} searches; the figures are "
        f"those of {N_OTHERS} other problems, with 95 % intervals."
    )
    return f"# What the tuner finds\n\n{about}\n\n{table(header, rows)}\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    with ProcessPoolExecutor(parser.parse_args().processes) as pool:
        result = {"command": COMMAND, "worlds": list(pool.map(measure, WORLDS))}
    save(RESULTS / "tuning", result, page(result))


if __name__ == "__main__":
    main()
