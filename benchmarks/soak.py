"""What a server holds after 30,000 mixed requests: ``python -m benchmarks.soak``.

Writes ``benchmarks/results/soak.json`` and ``.md``. ``epf serve`` and ``epf serve-prm`` run with the embedded pair and default
settings, each in a process of its own; this process sends the requests of :mod:`benchmarks.soak_requests`, several at a time,
and looks at what the server holds after each milestone, once nothing is under way any more. What counts is how much the
resident memory has grown since the first milestone. Reads /proc, so Linux is needed.
"""

import argparse
import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.output import RESULTS, measured_by, save
from benchmarks.served import Held, Served, served
from benchmarks.soak_requests import SERVE, SERVE_PRM, Sender
from benchmarks.wire import Wire

COMMAND = "python -m benchmarks.soak"
MILESTONES = (1_000, 4_000, 10_000, 30_000)
MAX_GROWTH_MB = 40
AT_ONCE = 8
MAX_REQUEST_S = 120.0

Mix = Mapping[str, tuple[int, Sender]]
SERVERS: Mapping[str, Mix] = {"serve": SERVE, "serve-prm": SERVE_PRM}


async def flood(server: Served, mix: Mix, first: int, last: int, outcomes: Counter[str]) -> None:
    """Send the requests from number ``first`` to before ``last`` and count the outcomes of each kind."""
    waiting = iter(range(first, last))
    names, weights = list(mix), [weight for weight, _ in mix.values()]

    async def caller() -> None:
        async with Wire(server.address) as wire:
            for i in waiting:
                chance = random.Random(i)
                (name,) = chance.choices(names, weights)
                async with asyncio.timeout(MAX_REQUEST_S):
                    outcome = await mix[name][1](wire, i, chance)
                outcomes[f"{name}: {outcome}"] += 1

    async with asyncio.TaskGroup() as callers:
        for _ in range(AT_ONCE):
            callers.create_task(caller())


async def settled(server: Served) -> Held:
    """What the server holds once that no longer becomes less: nothing is under way and all connections are closed."""
    before = await server.held()
    while True:
        await asyncio.sleep(1.0)
        after = await server.held()
        if (after.files, after.tasks) >= (before.files, before.tasks):
            return after
        before = after


async def soak(command: str, mix: Mix, milestones: tuple[int, ...]) -> dict[str, Any]:
    """All figures of one server."""
    outcomes: Counter[str] = Counter()
    rows: list[dict[str, float]] = []
    async with served([command]) as server:
        started_s, sent = time.monotonic(), 0
        for milestone in milestones:
            await flood(server, mix, sent, milestone, outcomes)
            sent = milestone
            held = await settled(server)
            rows.append({"requests": milestone, "seconds": time.monotonic() - started_s, **held._asdict()})
            print(f"epf {command}: {rows[-1]}", flush=True)
    return {"rows": rows, "growth_mb": rows[-1]["rss_mb"] - rows[0]["rss_mb"], "outcomes": dict(sorted(outcomes.items()))}


def page(result: dict[str, Any]) -> str:
    """The figures as a Markdown page."""
    lines = [
        "# What a server holds after many requests",
        "",
        measured_by(result),
        "",
        f"{AT_ONCE} requests at a time, valid, refused or cancelled, each with a text of its own; the kinds are listed below.",
        "Memory of the server is its resident set size, that of its workers their proportional set size. The memory may grow",
        f"by {MAX_GROWTH_MB} MB after the first milestone.",
    ]
    for command, figures in result["servers"].items():
        first = figures["rows"][0]["rss_mb"]
        lines += [
            "",
            f"## epf {command}",
            "",
            "| requests | memory, MB | growth, MB | workers, MB | open files | asyncio tasks |",
            "|---|---|---|---|---|---|",
            *(
                f"| {row['requests']:,} | {row['rss_mb']:.0f} | {row['rss_mb'] - first:+.0f} | {row['children_pss_mb']:.0f} "
                f"| {row['files']} | {row['tasks']} |"
                for row in figures["rows"]
            ),
            "",
            "| request and outcome | how often |",
            "|---|---|",
            *(f"| {outcome} | {n:,} |" for outcome, n in figures["outcomes"].items()),
        ]
    return "\n".join([*lines, ""])


async def measure(servers: list[str], milestones: tuple[int, ...]) -> dict[str, Any]:
    """All figures."""
    load = os.getloadavg()[0]
    return {
        "command": f"{COMMAND} --requests {milestones[-1]}",
        "cpus": os.cpu_count(),
        "load_at_start": load,
        "servers": {command: await soak(command, SERVERS[command], milestones) for command in servers},
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=SERVERS, action="append", help="Measure only this server.")
    parser.add_argument("--requests", type=int, default=MILESTONES[-1], help="Number of requests to each server.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    milestones = (*(n for n in MILESTONES if n < arguments.requests), arguments.requests)
    result = asyncio.run(measure(arguments.server or list(SERVERS), milestones))
    save(arguments.out / "soak", result, page(result))


if __name__ == "__main__":
    main()
