"""What the pair that ships costs: ``python -m benchmarks.plain_cost``; writes ``benchmarks/results/plain_cost.json``.

Seconds of ``POST /solve`` with eight particles for the questions of the battery, one after the other, and the memory of the
service before and after them.
"""

import argparse
import asyncio
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, measured_by, save
from benchmarks.plain import questions
from benchmarks.served import served
from benchmarks.wire import Wire
from epf.engines.onnx.pairs import DEFAULT_PAIR

COMMAND = "python -m benchmarks.plain_cost"
N_PARTICLES = 8


async def measure() -> dict[str, Any]:
    """Return the figures."""
    result: dict[str, Any] = {"command": COMMAND, "cpus": os.cpu_count(), "load_at_start": os.getloadavg()[0]}
    settings = {"EPF_GENERATOR": DEFAULT_PAIR.name, "EPF_REWARD_MODEL": DEFAULT_PAIR.name}
    async with served(["serve"], settings) as server, Wire(server.address) as wire:
        result["rss_at_start_mb"] = (await server.held()).rss_mb
        seconds = []
        for seed, question in enumerate(questions("battery")):
            start = time.perf_counter()
            asked = {"problem": question.text, "n_particles": N_PARTICLES, "seed": seed}
            reply = await wire.ask("POST", "/solve", asked)
            seconds.append(time.perf_counter() - start)
            if reply.status != 200:
                raise RuntimeError(f"/solve answered {reply.status}: {reply.body.decode()}")
        held = await server.held()
    result |= {"rss_mb": held.rss_mb, "children_pss_mb": held.children_pss_mb, "n": len(seconds)}
    return result | {f"seconds_p{p}": float(np.percentile(seconds, p)) for p in (50, 95, 100)}


def page(result: dict[str, Any]) -> str:
    """Return the figures as a sentence."""
    return (
        f"{measured_by(result)}: {result['n']} solves with {N_PARTICLES} particles, each {result['seconds_p50']:.2f} s at the "
        f"median, {result['seconds_p95']:.2f} s at the 95th percentile and {result['seconds_p100']:.2f} s at most. The service "
        f"holds {result['rss_at_start_mb']:.0f} MB when it is ready and {result['rss_mb']:.0f} MB after them, and the "
        f"processes that compare answers {result['children_pss_mb']:.0f} MB more.\n"
    )


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS / "plain_cost.json")
    args = parser.parse_args()
    found = asyncio.run(measure())
    save(args.out, found, page(found))


if __name__ == "__main__":
    main()
