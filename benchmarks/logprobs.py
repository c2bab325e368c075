"""What log probabilities add to a search: ``python -m benchmarks.logprobs`` writes benchmarks/results/logprobs.json and .md.

The embedded pair solves the same problems with the same seeds through ``POST /solve``, in this process, without and with log
probabilities in turn. Processor time includes the client, which reads the response.
"""

import argparse
import asyncio
import time
from itertools import islice
from typing import Any

import httpx
import numpy as np

from benchmarks.output import RESULTS, save
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.service.app import create_app

COMMAND = "python -m benchmarks.logprobs"
SEED = 7_100_002
N_PARTICLES = 8
FORMS: dict[str, dict[str, Any]] = {
    "without": {},
    "`return_particles`": {"return_particles": True},
    "`logprobs`": {"logprobs": True},
    "`logprobs`, `top_logprobs` 5": {"logprobs": True, "top_logprobs": 5},
    "`logprobs`, `top_logprobs` 20": {"logprobs": True, "top_logprobs": 20},
}


async def measure(n_problems: int) -> dict[str, dict[str, Any]]:
    """Seconds of processor time and bytes of each request, by form; the forms of a problem follow each other."""
    texts = [problem.text for problem in islice(problems(SEED, "test", 4, 8), n_problems + 1)]
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    sizes: dict[str, list[int]] = {form: [] for form in FORMS}
    app = create_app(EmbeddedGenerator(STORIES.generator), EmbeddedRewardModel(STORIES.reward_model))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=60) as client,
    ):
        for i, text in enumerate(texts):
            names = list(FORMS)
            for form in names[i % len(names) :] + names[: i % len(names)]:
                body = {"problem": text, "n_particles": N_PARTICLES, "seed": i, **FORMS[form]}
                began_s = time.process_time()
                response = await client.post("/solve", json=body)
                response.raise_for_status()
                response.json()
                if i:  # the first problem warms up
                    seconds[form].append(time.process_time() - began_s)
                    sizes[form].append(len(response.content))
    return {form: {"seconds": seconds[form], "bytes": sizes[form]} for form in FORMS}


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=40)
    args = parser.parse_args()
    found = asyncio.run(measure(args.problems))
    floor = np.array(found["without"]["seconds"])
    rows = []
    for form, cell in found.items():
        low, ratio, high = np.percentile(np.array(cell["seconds"]) / floor, [25, 50, 75])
        rows.append(f"| {form} | {ratio:.2f} ({low:.2f} to {high:.2f}) | {np.median(cell['bytes']) / 1000:.0f} kB |")
    table = ["| request | processor time, as a ratio | size of the response |", "| --- | --- | --- |", *rows]
    note = (
        f"Medians (and quartiles) over {len(floor)} problems with {N_PARTICLES} particles by the embedded pair, each as a "
        f"ratio to the same search without log probabilities, client included. `{COMMAND}` measures it again."
    )
    page = "\n".join(["# What log probabilities add to a search", "", *table, "", note, ""])
    save(RESULTS / "logprobs", {"command": COMMAND, "n_particles": N_PARTICLES, "cells": found}, page)


if __name__ == "__main__":
    main()
