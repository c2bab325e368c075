"""How long requests of the allowed size hold the event loop: ``python -m benchmarks.loop_hold``.

Starts ``epf serve`` and ``epf serve-prm`` with their defaults, each in a process of its own, and sends to every POST route of
their OpenAPI documents the worst bodies that we know, four at the same time, each on a connection of its own. A stranger in
another process asks for ``/healthz`` all the time. Reported are the longest hold by the server's own histogram, as the bound of
its bucket and the lowest of up to two rounds, the most processor time of one turn, and the stranger's waiting times over all
rounds, also as ratios to those of the idle server in the same run. A route for which nobody has written bodies ends the
benchmark with an error.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.loop_hold.page import page
from benchmarks.loop_hold.request import Attack, send
from benchmarks.loop_hold.routes import attacks_of
from benchmarks.loop_hold.servers import COMMANDS, Server, fields_of, started
from benchmarks.output import RESULTS, save

COMMAND: Final = "python -m benchmarks.loop_hold"
AT_ONCE: Final = 4
ROUNDS: Final = 2
LONG_S: Final = 0.05
IDLE_S: Final = 5.0
LIMITS: Final = {"/entropy/": 16 * 2**20, "": 256 * 1024}
"""The default limits of bodies by the beginning of a path, in bytes."""
HOLD: Final = "epf_event_loop_hold_seconds_bucket"
CPU: Final = "epf_event_loop_hold_cpu_seconds_bucket"


def measure(command: str, only: str) -> dict[str, Any]:
    """Return the figures of one server."""
    with started(command) as server:
        send_valid(server, command)  # engines and workers have started
        probe = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.loop_hold.probe", str(server.port)], stdin=-1, stdout=-1, text=True
        )
        before, begun_s = server.metric(HOLD), time.monotonic()
        time.sleep(IDLE_S)
        idle_hold_s, ended_s = bound(before, server.metric(HOLD)), time.monotonic()
        rows = attacked(server, command, only)
        output, _ = probe.communicate()
    asked = np.array(json.loads(output))
    alone = between(asked, begun_s, ended_s)
    for row in rows:
        row.update(between(asked, row.pop("begun_s"), row.pop("ended_s")))
    attacks = between(asked, ended_s, np.inf)
    return {
        "command": f"epf {command}",
        "idle": {**alone, "hold_at_most_s": idle_hold_s},
        "attacked": attacks,
        "rows": rows,
    }


def send_valid(server: Server, command: str) -> None:
    """Send each route a small valid body."""
    for path, fields in routes(server).items():
        send(server.port, address(path), next(iter(attacks_of(path, fields, 10_000))))


def routes(server: Server) -> dict[str, Any]:
    """The fields of the body of every POST route."""
    document = json.loads(server.get("/openapi.json"))
    return {path: fields_of(document, path) for path, ways in document["paths"].items() if "post" in ways}


def address(path: str) -> str:
    """A path that the template stands for."""
    return path.replace("{response_id}", "resp_1").replace("{tool}", "ranking")


def attacked(server: Server, command: str, only: str) -> list[dict[str, Any]]:
    """Send all bodies and return a row for each, with the time at which it was sent."""
    rows = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for path, fields in routes(server).items():
            if only not in path:
                continue
            limit = next(limit for beginning, limit in LIMITS.items() if path.startswith(beginning))
            for attack in attacks_of(path, fields, limit):
                assert len(attack.body) <= limit, (path, attack.name, len(attack.body))
                rows.append(rounds(server, threads, path, attack))
                print(path, json.dumps(rows[-1]), flush=True, file=sys.stderr)
    return rows


def rounds(server: Server, threads: ThreadPoolExecutor, path: str, attack: Attack) -> dict[str, Any]:
    """Send a body four times at once, and again if the loop was held for long, which the other work of a machine also does."""
    begun_s = time.monotonic()
    statuses: set[int] = set()
    holds: list[float] = []
    worked: list[float] = []
    while len(holds) < ROUNDS and min(holds, default=np.inf) > LONG_S:
        before = {name: server.metric(name) for name in (HOLD, CPU)}
        statuses |= set(threads.map(lambda _: send(server.port, address(path), attack), range(AT_ONCE)))
        holds.append(bound(before[HOLD], server.metric(HOLD)))
        worked.append(bound(before[CPU], server.metric(CPU)))
    return {
        "route": path,
        "body": attack.name,
        "bytes": len(attack.body),
        "statuses": sorted(statuses),
        "rounds": len(holds),
        "hold_at_most_s": min(holds),
        "cpu_at_most_s": max(worked),
        "begun_s": begun_s,
        "ended_s": time.monotonic(),
    }


def bound(before: dict[str, float], after: dict[str, float]) -> float:
    """The bound of the highest bucket that has more holds than before."""
    new = {float(labels.split('"')[1]): after[labels] - count for labels, count in before.items()}
    total = new.pop(np.inf)
    return min((bucket for bucket, count in new.items() if count == total), default=np.inf)


def between(asked: "np.ndarray[Any, np.dtype[np.float64]]", begun_s: float, ended_s: float) -> dict[str, float | int]:
    """The stranger's waiting times between two moments."""
    times = asked[(asked[:, 0] >= begun_s) & (asked[:, 0] < ended_s), 1] if len(asked) else np.zeros(0)
    if not len(times):
        return {"asked": 0}
    p50, p99 = np.quantile(times, [0.5, 0.99])
    return {"asked": len(times), "p50_ms": 1e3 * p50, "p99_ms": 1e3 * p99, "max_ms": 1e3 * times.max()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="routes whose path contains this")
    parser.add_argument("--servers", nargs="+", choices=COMMANDS, default=COMMANDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    result = {
        "command": COMMAND,
        "cpus": os.cpu_count(),
        "load_at_start": os.getloadavg()[0],
        "at_once": AT_ONCE,
        "servers": [measure(command, given.only) for command in given.servers],
    }
    save(given.out / "loop_hold", result, page(result))


if __name__ == "__main__":
    main()
