"""Time that the HTTP layer adds to a search: ``python -m benchmarks.service_overhead``.

The same problems and seeds, hence the same searches, run in this process (:func:`epf.search.asolve`) and through the service on
a socket of the same process; the clients run in their own process. One caller shows the latency that HTTP adds, many callers
show the loss in throughput. Every cell starts with empty caches. Cells alternate in rotating order, and medians over the rounds
are reported: seconds paired by problem, problems per second paired by round. Searches vary between runs by more than HTTP adds,
so the time that a call spent outside its search, by the search's own clock, is reported too. Results go to
``benchmarks/results/service_overhead.json`` and, as a table, ``.md``.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

import numpy as np
import uvicorn

from benchmarks.output import RESULTS, save
from epf.engines.onnx.pairs import STORIES
from epf.evaluation.report.text import table
from epf.generators.embedded import EmbeddedGenerator
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.problem_sets.synthetic.problems import problems
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import SearchOptions, asolve
from epf.search.answers.checker import AnswerChecker
from epf.service.app import create_app
from epf.service.server import listen
from epf.service.settings import Settings

PROBLEM_SEED = 7_000_001
N = 8
OPTIONS: dict[str, Any] = {"n_particles": N, "max_steps": 20, "max_tokens_per_step": 48}
IN_PROCESS = "in process"
OVER_HTTP = ("POST /solve", "POST /solve, stream", "POST /v1/chat/completions")
ARMS = (IN_PROCESS, *OVER_HTTP)


def call_of(arm: str, problem: str, seed: int) -> tuple[str, dict[str, Any]]:
    """Return path and body of the request for the same search."""
    if arm == "POST /v1/chat/completions":
        search = {**OPTIONS, "method": "epf", "seed": seed}
        return "/v1/chat/completions", {"model": "epf", "messages": [{"role": "user", "content": problem}], "search": search}
    return "/solve", {"problem": problem, "seed": seed, "stream": arm.endswith("stream"), **OPTIONS}


class Times(NamedTuple):
    """Seconds of each call as its caller measured them, of each search by its own clock, and of the whole cell."""

    seconds: list[float]
    search_s: list[float]
    wall_s: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm, run once over all problems."""

    arm: str
    callers: int
    times: Times


async def in_process(asked: Sequence[SyntheticProblem], callers: int) -> Times:
    """Run the searches without HTTP, ``callers`` at a time."""
    slots = asyncio.Semaphore(callers)
    async with (
        aclosing(EmbeddedGenerator(STORIES.generator)) as generator,
        aclosing(EmbeddedRewardModel(STORIES.reward_model)) as reward_model,
        aclosing(AnswerChecker()) as checker,
    ):

        async def one(i: int) -> tuple[float, float]:
            async with slots:
                start = time.perf_counter()
                result = await asolve(
                    asked[i].text,
                    options=SearchOptions(seed=i, **OPTIONS),
                    generator=generator,
                    reward_model=reward_model,
                    checker=checker,
                )
                return time.perf_counter() - start, result.usage.total_s

        await asolve("What is 1 + 1?", generator=generator, reward_model=reward_model, checker=checker)
        start = time.perf_counter()
        seconds, search_s = zip(*await asyncio.gather(*(one(i) for i in range(len(asked)))), strict=True)
        return Times(list(seconds), list(search_s), time.perf_counter() - start)


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """Run the service on fresh engines; yields its port."""
    settings = Settings(max_particles_in_flight=1024, max_particles_per_key=1024)
    async with (
        aclosing(EmbeddedGenerator(STORIES.generator)) as generator,
        aclosing(EmbeddedRewardModel(STORIES.reward_model)) as reward_model,
    ):
        app = create_app(generator, reward_model, settings)
        with listen("127.0.0.1", 0) as listening:
            server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", access_log=False))
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                yield listening.getsockname()[1]
            finally:
                server.should_exit = True
                await serving


async def over_http(arm: str, asked: Sequence[SyntheticProblem], callers: int) -> Times:
    """Run the same searches as requests, timed by the clients' process."""
    calls = [call_of(arm, problem.text, i) for i, problem in enumerate(asked)]
    async with served() as port:
        work = json.dumps({"port": port, "callers": callers, "calls": calls}).encode()
        clients = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.service_overhead", "--clients", stdin=-1, stdout=-1
        )
        output, _ = await clients.communicate(work)
    if clients.returncode:
        raise RuntimeError(f"the clients' process exited with status {clients.returncode}")
    return Times(*json.loads(output))


def clients() -> None:
    """Run as the clients' process: reads calls from standard input and writes their times to standard output."""
    work = json.load(sys.stdin)
    calls: list[tuple[str, dict[str, Any]]] = work["calls"]
    waiting = iter(range(len(calls)))
    seconds, search_s = [0.0] * len(calls), [0.0] * len(calls)
    ready = Barrier(work["callers"] + 1)

    def caller() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", work["port"], timeout=300)
        _post(connection, *call_of(OVER_HTTP[0], "What is 1 + 1?", 0))  # connects, and triggers lazy initialisation
        ready.wait()
        for i in waiting:
            start = time.perf_counter()
            answer = _post(connection, *calls[i])
            seconds[i] = time.perf_counter() - start
            search_s[i] = float(re.findall(rb'"total_s": ?([\d.e-]+)', answer)[-1])

    with ThreadPoolExecutor(work["callers"]) as threads:
        callers = [threads.submit(caller) for _ in range(work["callers"])]
        ready.wait(60)
        start = time.perf_counter()
        for done in callers:
            done.result()
    json.dump(Times(seconds, search_s, time.perf_counter() - start), sys.stdout)


def _post(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> bytes:
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200 or b'"answer"' not in content:
        raise RuntimeError(f"status {response.status}: {content[-300:]!r}")
    return content


def summarise(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Return one line per arm and number of callers."""
    lines = []
    for callers in dict.fromkeys(cell.callers for cell in cells):
        by_arm = {arm: [cell for cell in cells if cell.arm == arm and cell.callers == callers] for arm in ARMS}
        base = by_arm[IN_PROCESS]
        for arm in ARMS:
            seconds = np.median([cell.times.seconds for cell in by_arm[arm]], axis=0)
            added = seconds - np.median([cell.times.seconds for cell in base], axis=0)
            rates = np.array([len(cell.times.seconds) / cell.times.wall_s for cell in by_arm[arm]])
            ratios = rates / np.array([len(cell.times.seconds) / cell.times.wall_s for cell in base])
            line: dict[str, Any] = {"arm": arm, "callers": callers, "problems": seconds.size, "rounds": len(base)}
            line["median_s"], line["p95_s"] = float(np.median(seconds)), float(np.percentile(seconds, 95))
            line["outside_search_ms"] = 1000 * float(np.median([_outside(cell) for cell in by_arm[arm]]))
            line["problems_per_s"] = float(np.median(rates))
            if arm != IN_PROCESS:
                line["added_ms"] = 1000 * float(np.median(added))
                line["throughput_ratio"] = float(np.median(ratios))
                line["throughput_ratios"] = [float(ratio) for ratio in ratios]
            lines.append(line)
    return lines


def _outside(cell: Cell) -> float:
    """Return the median of the seconds that a call spent outside its search."""
    return float(np.median(np.subtract(cell.times.seconds, cell.times.search_s)))


def page(lines: Sequence[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    header = (
        "callers", "search", "median s", "p95 s", "problems/s", "outside the search", "added (median)", "throughput",
    )  # fmt: skip
    rows = []
    for line in lines:
        added = f"{line['added_ms']:+.1f} ms" if "added_ms" in line else ""
        ratio = f"{100 * line['throughput_ratio']:.1f} %" if "throughput_ratio" in line else "100 %"
        rows.append(
            (
                line["callers"],
                line["arm"],
                f"{line['median_s']:.3f}",
                f"{line['p95_s']:.3f}",
                f"{line['problems_per_s']:.2f}",
                f"{line['outside_search_ms']:.1f} ms",
                added,
                ratio,
            )
        )
    return table(header, rows) + "\n"


async def run(args: argparse.Namespace) -> None:
    """Measure all cells and write the figures."""
    asked = list(islice(problems(PROBLEM_SEED, "test", 4, 8), max(args.problems)))
    cells: list[Cell] = []
    for round_number, (callers, count) in product(range(args.rounds), zip(args.callers, args.problems, strict=True)):
        for i in range(len(ARMS)):
            arm = ARMS[(i + round_number) % len(ARMS)]
            subset = asked[:count]
            times = await (in_process(subset, callers) if arm == IN_PROCESS else over_http(arm, subset, callers))
            cells.append(Cell(arm, callers, times))
            print(f"round {round_number}, {callers:2} callers, {arm:25} {count / times.wall_s:6.2f} problems/s", flush=True)
    lines = summarise(cells)
    save(args.out, {"cpus": os.cpu_count(), "lines": lines}, page(lines))


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--problems", type=int, nargs="+", default=[50, 192], help="for each number of callers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "service_overhead")
    parser.add_argument("--clients", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.clients:
        clients()
    else:
        asyncio.run(run(args))


if __name__ == "__main__":
    main()
