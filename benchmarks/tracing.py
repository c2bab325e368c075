"""Time that traces add to a search: ``python -m benchmarks.tracing``.

Writes ``benchmarks/results/tracing.json`` and ``.md``. The embedded pair solves the same problems with the same seeds, with
traces and without in turn, in one process; the collector, which decodes what it receives, runs in another. Every search is
traced. What counts is the ratio of processor times of this process, the sending of the traces included, since times on the
clock differ by more than traces add.
"""

import argparse
import asyncio
import multiprocessing
import os
import time
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import asolve
from epf.search.answers.checker import AnswerChecker
from epf.service.operations.telemetry import telemetry

COMMAND = "python -m benchmarks.tracing"
SEED = 7_100_001


def _collect(ready: Connection) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    n_spans = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal n_spans
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
            n_spans += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            body = str(n_spans).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    ready.send(server.server_port)
    server.serve_forever()


async def measure(n_problems: int, n_particles: int, environment: dict[str, str]) -> dict[str, Any]:
    """Seconds of processor time of all searches, without traces and with them, in each round."""
    texts = [problem.text for problem in islice(problems(SEED, "test", 4, 8), n_problems)]
    rounds: list[tuple[float, float]] = []
    async with (
        aclosing(EmbeddedGenerator()) as generator,
        aclosing(EmbeddedRewardModel()) as prm,
        aclosing(AnswerChecker()) as checker,
    ):

        async def solve_all(traced: dict[str, str]) -> float:
            began_s = time.process_time()
            with telemetry(traced):
                for seed, text in enumerate(texts):
                    models: dict[str, Any] = {"generator": generator, "reward_model": prm, "checker": checker}
                    await asolve(text, n_particles=n_particles, seed=seed, **models)
            return time.process_time() - began_s

        await solve_all({})
        for _ in range(7):
            rounds.append((await solve_all({}), await solve_all(environment)))
    ratios = [traced / plain for plain, traced in rounds]
    return {
        "n_problems": n_problems,
        "n_particles": n_particles,
        "seconds_per_search": float(np.median([plain for plain, _ in rounds])) / n_problems,
        "ratio": float(np.median(ratios)),
        "ratios": [round(ratio, 4) for ratio in ratios],
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=30)
    args = parser.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    collector = multiprocessing.get_context("spawn").Process(target=_collect, args=(there,), daemon=True)
    collector.start()
    endpoint = f"http://127.0.0.1:{here.recv()}"
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    cells = [asyncio.run(measure(args.problems, n, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})) for n in (4, 16)]
    collector.terminate()
    rows = [
        f"| {cell['n_particles']} | {1000 * cell['seconds_per_search']:.0f} ms | {cell['ratio']:.4f} | "
        f"{min(cell['ratios']):.4f} to {max(cell['ratios']):.4f} |"
        for cell in cells
    ]
    table = [
        "| particles | processor time of a search | times that with traces, median | rounds |",
        "| --- | --- | --- | --- |",
        *rows,
    ]
    page = "\n".join(
        ["# What traces add to a search", "", f"`{COMMAND}`: {__doc__.splitlines()[0].split(':')[0]}.", "", *table, ""]
    )
    save(RESULTS / "tracing", {"command": COMMAND, "cells": cells}, page)


if __name__ == "__main__":
    main()
