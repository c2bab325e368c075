"""What a stranger notices of connections that send nothing more: ``python -m benchmarks.half_open``.

Writes ``benchmarks/results/half_open.json`` and ``.md``. ``epf serve`` runs with the embedded pair in a process that may open
few files. An attacker opens 500 connections, sends half a head, nothing, one request, or a body that trickles in, and leaves
them open. A stranger at the same address calls ``/healthz`` and ``/solve`` meanwhile, each time on a new connection, and before
the attack. What counts is the ratio of the times, measured in one run.
"""

import argparse
import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.output import RESULTS, measured_by, save
from benchmarks.served import Served, served
from benchmarks.wire import Wire, request

COMMAND = "python -m benchmarks.half_open"
N_CONNECTIONS = 500
FILES = (256, 1024)
LIMIT_S = 10
SETTINGS = {"EPF_HEAD_TIMEOUT_S": str(LIMIT_S), "EPF_IDLE_TIMEOUT_S": str(LIMIT_S), "EPF_BODY_TIMEOUT_S": str(LIMIT_S)}
"""Shorter than the defaults, so that the benchmark does not take long."""

TRICKLE_S = 0.5
QUESTION = {"problem": "There are 45 birds on a wire. 17 fly away. How many are left?", "n_particles": 2, "seed": 1}


class Attack(NamedTuple):
    """What an attacker sends on each connection: at first, and then again and again."""

    first: bytes
    then: bytes = b""


ATTACKS = {
    "half-sent heads": Attack(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"),
    "heads that trickle in": Attack(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ", b"a"),
    "connections without a byte": Attack(b""),
    "idle connections": Attack(request("GET", "/healthz")),
    "bodies that trickle in": Attack(request("POST", "/solve", b"{", {"content-length": "100000"}), b" "),
}


async def crowd(server: Served, attack: Attack, closed: list[float]) -> None:
    """Hold 500 connections until the server has closed each; adds the time of each end in seconds since its beginning."""

    async def hold(wire: Wire) -> None:
        started_s = time.monotonic()
        with suppress(OSError):
            await wire.send(attack.first)
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(TRICKLE_S if attack.then else None):
                        if not await wire.some():
                            break
                        continue
                await wire.send(attack.then)
        closed.append(time.monotonic() - started_s)
        await wire.close(rudely=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(N_CONNECTIONS):
            group.create_task(hold(Wire(server.address)))


async def ask(server: Served, method: str, path: str, body: Any = None) -> float:
    """Send one request on a new connection; returns its seconds in milliseconds. Raises if it is not answered."""
    start_s = time.perf_counter()
    async with Wire(server.address) as wire:
        reply = await wire.ask(method, path, body)
    if reply.status != 200:
        raise RuntimeError(f"{path} returned {reply.status}: {reply.body[:200]!r}")
    return 1e3 * (time.perf_counter() - start_s)


async def stranger(server: Served, n: int) -> dict[str, list[float]]:
    """Ask ``n`` times; returns the milliseconds of each response."""
    found: dict[str, list[float]] = {"/healthz": [], "/solve": []}
    for _ in range(n):
        found["/healthz"].append(await ask(server, "GET", "/healthz"))
        found["/solve"].append(await ask(server, "POST", "/solve", QUESTION))
    return found


async def attacked(server: Served, attack: Attack, n: int) -> dict[str, Any]:
    """The figures of one attack."""
    await stranger(server, 5)
    quiet = await stranger(server, n)
    closed: list[float] = []
    attacking = asyncio.create_task(crowd(server, attack, closed))
    await asyncio.sleep(0.5)
    n_files = len(os.listdir(f"/proc/{server.pid}/fd"))
    meanwhile = await stranger(server, n)
    is_over = attacking.done()
    async with asyncio.timeout(6 * LIMIT_S):
        await attacking
    rows = {path: {"quiet": _quantiles(quiet[path]), "attacked": _quantiles(meanwhile[path])} for path in quiet}
    return {"files": n_files, "closed": len(closed), "last_closed_s": max(closed), "attack_was_over": is_over, "rows": rows}


def _quantiles(milliseconds: list[float]) -> dict[str, float]:
    p50, p95 = np.quantile(milliseconds, [0.5, 0.95])
    return {"p50_ms": float(p50), "p95_ms": float(p95)}


async def measure(n: int) -> dict[str, Any]:
    """All figures."""
    load = os.getloadavg()[0]
    found: dict[str, dict[str, Any]] = {}
    for max_files in FILES:
        for name, attack in ATTACKS.items():
            async with served(["serve"], SETTINGS, max_files=max_files) as server:
                found.setdefault(str(max_files), {})[name] = await attacked(server, attack, n)
                print(f"{max_files} files, {name}: {found[str(max_files)][name]}", flush=True)
    command = f"{COMMAND} --requests {n}"
    about = {"command": command, "cpus": os.cpu_count(), "load_at_start": load, "limit_s": LIMIT_S, "requests": n}
    return {**about, "files": found}


def page(result: dict[str, Any]) -> str:
    """The figures as a Markdown page."""
    lines = [
        "# Connections that send nothing more",
        "",
        measured_by(result),
        "",
        f"{N_CONNECTIONS} connections of one attacker, with time limits of {result['limit_s']} s. A stranger at the same",
        f"address sends {result['requests']} requests to each of two routes meanwhile, each on a new connection; all get",
        "status 200. Ratios compare with the same before the attack.",
    ]
    for max_files, attacks in result["files"].items():
        lines += [
            "",
            f"## A process that may open {max_files} files",
            "",
            "| attack | files open | /healthz, quiet: p50, ms | p50 / quiet | p95 / quiet | /solve, quiet: p50, ms "
            "| p50 / quiet | p95 / quiet | closed | last after, s |",
            "|---" * 10 + "|",
        ]
        for name, figures in attacks.items():
            cells = []
            for path in ("/healthz", "/solve"):
                quiet, attacked = figures["rows"][path]["quiet"], figures["rows"][path]["attacked"]
                ratios = (attacked[q] / quiet[q] for q in ("p50_ms", "p95_ms"))
                cells.append(" | ".join([f"{quiet['p50_ms']:.1f}", *(f"**{ratio:.2f}**" for ratio in ratios)]))
            ends = f"{figures['closed']} | {figures['last_closed_s']:.1f}"
            lines.append(f"| {name} | {figures['files']} | {' | '.join(cells)} | {ends} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100, help="Number of requests of the stranger to each route.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.requests))
    save(arguments.out / "half_open", result, page(result))


if __name__ == "__main__":
    main()
