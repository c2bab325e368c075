"""Time that traces add to a search: ``python -m benchmarks.tracing``.

Writes ``benchmarks/results/tracing.json`` and ``.md``. The embedded pair solves problems with traces that are kept. From these
traces, the processor time of recording a span, which happens within a search, and of encoding it for the collector, which
happens after it in a thread, are measured in long loops, and compared with the processor time of the searches: the difference
between searches with and without traces is smaller than that between two runs of the same search.
"""

import argparse
import asyncio
import time
from contextlib import aclosing
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.core import tracing
from epf.core.tracing import Parent, Trace, search_span
from epf.engines.onnx.pairs import STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import asolve
from epf.search.answers.checker import AnswerChecker
from epf.service.operations.otlp import encoded
from epf.service.operations.telemetry import SCHEMA

COMMAND = "python -m benchmarks.tracing"
SEED = 7_100_001


class Kept:
    """A recorder that keeps all traces."""

    def __init__(self) -> None:
        self.traces: list[Trace] = []

    def samples(self, trace_id: int, parent: Parent | None) -> bool:
        """Record every search."""
        return True

    def record(self, trace: Trace) -> None:
        """Keep a trace."""
        self.traces.append(trace)


async def solve_all(n_problems: int, n_particles: int) -> float:
    """Seconds of processor time per search."""
    texts = [problem.text for problem in islice(problems(SEED, "test", 4, 8), n_problems)]
    async with (
        aclosing(EmbeddedGenerator(STORIES.generator)) as generator,
        aclosing(EmbeddedRewardModel(STORIES.reward_model)) as prm,
        aclosing(AnswerChecker()) as checker,
    ):
        models: dict[str, Any] = {"generator": generator, "reward_model": prm, "checker": checker}
        began_s = time.process_time()
        for seed, text in enumerate(texts):
            await asolve(text, n_particles=n_particles, seed=seed, **models)
        return (time.process_time() - began_s) / n_problems


def recording_s(like: Trace, n: int = 200) -> float:
    """Seconds of processor time to record the spans of a trace once more, by the median of ``n`` times."""
    tracing.install(Kept())
    seconds = []
    for _ in range(n):
        began_s = time.process_time()
        with search_span("search", like.spans[0].attributes):
            for span in like.spans[1:]:
                with tracing.span(span.name, span.attributes, span.kind):
                    pass
        seconds.append(time.process_time() - began_s)
    tracing.install(None)
    return float(np.median(seconds))


def encoding_s(trace: Trace, n: int = 200) -> float:
    """Seconds of processor time to encode a trace, by the median of ``n`` times."""
    seconds = []
    for _ in range(n):
        began_s = time.process_time()
        encoded([trace], {"service.name": "epf"}, scope="epf", version="0", schema=SCHEMA)
        seconds.append(time.process_time() - began_s)
    return float(np.median(seconds))


def measure(n_problems: int, n_particles: int) -> dict[str, Any]:
    """Spans of a search, and what they cost, for the trace of median length."""
    kept = Kept()
    tracing.install(kept)
    search_s = asyncio.run(solve_all(n_problems, n_particles))
    trace = sorted(kept.traces, key=lambda trace: len(trace.spans))[len(kept.traces) // 2]
    return {
        "n_particles": n_particles,
        "n_spans": len(trace.spans),
        "search_s": search_s,
        "recording_s": recording_s(trace),
        "encoding_s": encoding_s(trace),
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=30)
    args = parser.parse_args()
    cells = [measure(args.problems, n) for n in (4, 16)]
    rows = [
        f"| {cell['n_particles']} | {cell['n_spans']} | {1000 * cell['search_s']:.0f} ms | "
        f"{cell['recording_s'] / cell['search_s']:.2%} | {cell['encoding_s'] / cell['search_s']:.2%} |"
        for cell in cells
    ]
    table = [
        "| particles | spans | processor time of a search | recording, within the search | encoding, after it |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    note = f"Shares of the processor time of a search by the embedded pair. `{COMMAND}` measures it again."
    page = "\n".join(["# What traces add to a search", "", *table, "", note, ""])
    save(RESULTS / "tracing", {"command": COMMAND, "cells": cells}, page)


if __name__ == "__main__":
    main()
