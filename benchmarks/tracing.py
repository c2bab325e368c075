"""Time that traces add to a search: ``python -m benchmarks.tracing``.

Writes ``benchmarks/results/tracing.json`` and ``.md``. The embedded pair solves the same problems with the same seeds without
traces, with spans that are recorded and dropped, and with traces that are sent, in turn and in one process; the collector,
which decodes what it receives, runs in another. Every search is traced. What counts are the ratios of processor times of this
process, since times on the clock differ by more than traces add. Recording happens within a search, sending after it, in a
thread.
"""

import argparse
import asyncio
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, save
from epf.core import tracing
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


class Dropped:
    """A recorder that keeps nothing."""

    def samples(self, trace_id: int, parent: tracing.Parent | None) -> bool:
        """Record every search."""
        return True

    def record(self, trace: tracing.Trace) -> None:
        """Drop a trace."""


@contextmanager
def recorded() -> Iterator[None]:
    """Record the spans of the block, and drop them."""
    tracing.install(Dropped())
    try:
        yield
    finally:
        tracing.install(None)


async def measure(n_problems: int, n_particles: int, n_rounds: int) -> dict[str, Any]:
    """Seconds of processor time of all searches by arm, in each round."""
    texts = [problem.text for problem in islice(problems(SEED, "test", 4, 8), n_problems)]
    arms: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "without": nullcontext,
        "recorded": recorded,
        "sent": telemetry,
    }
    seconds: dict[str, list[float]] = {arm: [] for arm in arms}
    async with (
        aclosing(EmbeddedGenerator()) as generator,
        aclosing(EmbeddedRewardModel()) as prm,
        aclosing(AnswerChecker()) as checker,
    ):
        models: dict[str, Any] = {"generator": generator, "reward_model": prm, "checker": checker}

        async def solve_all(traced: Callable[[], AbstractContextManager[None]]) -> float:
            with traced():
                began_s = time.process_time()
                for seed, text in enumerate(texts):
                    await asolve(text, n_particles=n_particles, seed=seed, **models)
            return time.process_time() - began_s

        await solve_all(nullcontext)
        for t in range(n_rounds):
            order = list(arms)
            for arm in order[t % 3 :] + order[: t % 3]:
                seconds[arm].append(await solve_all(arms[arm]))
    plain = np.array(seconds["without"])
    ratios = {arm: np.array(seconds[arm]) / plain for arm in ("recorded", "sent")}
    return {
        "n_problems": n_problems,
        "n_particles": n_particles,
        "seconds_per_search": float(np.median(plain)) / n_problems,
        **{arm: [round(float(q), 4) for q in np.quantile(ratio, (0.5, 0.25, 0.75))] for arm, ratio in ratios.items()},
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    collector = multiprocessing.get_context("spawn").Process(target=_collect, args=(there,), daemon=True)
    collector.start()
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{here.recv()}"
    cells = [asyncio.run(measure(args.problems, n, args.rounds)) for n in (4, 16)]
    collector.terminate()

    def shown(quartiles: list[float]) -> str:
        middle, low, high = quartiles
        return f"{middle:.3f} ({low:.3f} to {high:.3f})"

    rows = [
        f"| {cell['n_particles']} | {1000 * cell['seconds_per_search']:.0f} ms | "
        f"{shown(cell['recorded'])} | {shown(cell['sent'])} |"
        for cell in cells
    ]
    table = [
        "| particles | processor time of a search | recorded: times that | recorded and sent: times that |",
        "| --- | --- | --- | --- |",
        *rows,
    ]
    note = f"Medians over {args.rounds} rounds of {args.problems} problems, and quartiles. `{COMMAND}` measures it again."
    page = "\n".join(["# What traces add to a search", "", *table, "", note, ""])
    save(RESULTS / "tracing", {"command": COMMAND, "cells": cells}, page)


if __name__ == "__main__":
    main()
