"""What keeping searches costs, how fast they are found, and what a kill loses: ``python -m benchmarks.store``.

Writes ``benchmarks/results/store.json`` and ``.md``. ``epf serve`` runs with the embedded pair. One file holds 10,000 searches
of the size that a real one has; requests for lists and for single searches are timed over HTTP. The same ``POST /solve`` goes
in turn to a server that keeps searches, in that full file, and to one that keeps none. Then clients ask one search after the
other while the server is killed with SIGKILL, again and again: what counts are the answered searches that are not kept.
"""

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import RESULTS, measured_by, save
from benchmarks.served import Served, served
from benchmarks.wire import Wire
from epf.service.history.database import Database
from epf.service.store_limits import StoreLimits

COMMAND = "python -m benchmarks.store"
N_CLIENTS = 4
N_FIRST = 5
"""Requests that are not counted."""
KILL_AFTER_S = (1.0, 5.0)
"""Shortest and longest time of a server until it is killed."""
METHODS = ("epf", "pf", "best_of_n", "self_consistency")
CALLER = "anonymous"
PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
QUESTION = {"problem": PROBLEM, "n_particles": 8, "seed": 1}
SMALL = {**QUESTION, "n_particles": 2}


async def ask(wire: Wire, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """Send a request; returns the JSON of the response. Raises if it is refused."""
    reply = await wire.ask(method, path, body, headers)
    if reply.status != 200:
        raise RuntimeError(f"{path} returned {reply.status}: {reply.body[:200]!r}")
    return json.loads(reply.body)


async def one_document(path: Path) -> bytes:
    """A real search as it is kept."""
    async with served(["serve"], {"EPF_STORE": str(path)}) as server, Wire(server.address) as wire:
        await ask(wire, "POST", "/solve", QUESTION)
        (found,) = (await ask(wire, "GET", "/searches"))["searches"]
        return (await wire.ask("GET", f"/searches/{found['id']}")).body


def fill(path: Path, document: bytes, n: int) -> float:
    """Write ``n`` searches of one caller, a second apart; returns milliseconds for each."""
    begun_s = time.perf_counter()
    now_s = time.time()
    with closing(Database(path, StoreLimits(max_searches=n))) as database:
        for i in range(n):
            columns = {
                **{"id": f"{i:032x}", "caller": CALLER, "request_id": f"r{i}", "started_s": now_s - n + i},
                **{"state": "answered", "method": METHODS[i % len(METHODS)], "n_particles": 8, "seed": i},
                **{"problem": f"Problem {i}: {PROBLEM * (1 + i % 5)}", "answer": str(i % 100)},
                **{"confidence": 0.9, "generated_tokens": 200, "seconds": 0.3},
            }
            assert database.insert(columns, document)
    return 1e3 * (time.perf_counter() - begun_s) / n


async def times(server: Served, path: str, n: int) -> list[float]:
    """Milliseconds of ``n`` requests."""
    found = []
    async with Wire(server.address) as wire:
        for _ in range(n):
            begun_s = time.perf_counter()
            await ask(wire, "GET", path)
            found.append(1e3 * (time.perf_counter() - begun_s))
    return found


async def reading(path: Path, n_searches: int, n: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of request, by its name."""
    middle = f"{n_searches // 2:032x}"
    kinds = {
        "the newest 20": "/searches",
        "100 in the middle": f"/searches?limit=100&after={middle}",
        "of one method": "/searches?method=pf",
        "a text of one problem": f"/searches?q=Problem+{n_searches // 3}:",
        "a text of none": "/searches?q=no+such+text",
        "one search": f"/searches/{middle}",
    }
    async with served(["serve"], _keeping(path, n_searches)) as server:
        await times(server, "/searches", N_FIRST)
        return {name: await times(server, address, n) for name, address in kinds.items()}


async def solving(path: Path, n_searches: int, n: int) -> dict[str, list[float]]:
    """Milliseconds of ``POST /solve`` on a server that keeps searches in a full file, and on one that keeps none, in turn."""
    found: dict[str, list[float]] = {"kept": [], "not kept": []}
    async with (
        served(["serve"], _keeping(path, n_searches)) as keeps,
        served(["serve"]) as other,
        Wire(keeps.address) as first,
        Wire(other.address) as second,
    ):
        for i in range(n + N_FIRST):
            for name, wire in (("kept", first), ("not kept", second)):
                begun_s = time.perf_counter()
                await ask(wire, "POST", "/solve", SMALL)
                if i >= N_FIRST:
                    found[name].append(1e3 * (time.perf_counter() - begun_s))
    return found


async def killed(path: Path, after_s: float) -> dict[str, Any]:
    """Kill a server in the middle of its work; returns how many searches were answered and how many of them are lost."""
    answered: set[str] = set()

    async def client(server: Served, number: int) -> None:
        async with Wire(server.address) as wire:
            for i in range(1_000_000):
                id = f"{number}-{i}"
                try:
                    await ask(wire, "POST", "/solve", SMALL, {"x-request-id": id})
                except (OSError, EOFError):
                    return
                answered.add(id)

    async with served(["serve"], {"EPF_STORE": str(path)}) as server:
        clients = [asyncio.create_task(client(server, number)) for number in range(N_CLIENTS)]
        await asyncio.sleep(after_s)
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.gather(*clients)
    with closing(sqlite3.connect(path)) as file:
        whole = file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = {id for (id,) in file.execute("SELECT request_id FROM searches")}
    return {"answered": len(answered), "lost": len(answered - kept), "whole": whole}


def _keeping(path: Path, n_searches: int) -> dict[str, str]:
    return {"EPF_STORE": str(path), "EPF_STORE_LIMITS__MAX_SEARCHES": str(n_searches)}


async def measure(n_searches: int, n: int, n_kills: int) -> dict[str, Any]:
    """All figures."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "searches.db"
        document = await one_document(Path(folder) / "one.db")
        write_ms = fill(path, document, n_searches)
        size = path.stat().st_size
        read = await reading(path, n_searches, n)
        solved = await solving(path, n_searches, n)
        chance = np.random.default_rng(0)
        kills = [await killed(Path(folder) / f"kill-{i}.db", chance.uniform(*KILL_AFTER_S)) for i in range(n_kills)]
    command = f"{COMMAND} --searches {n_searches} --requests {n} --kills {n_kills}"
    about = {"command": command, "cpus": os.cpu_count(), "load_at_start": load, "searches": n_searches, "requests": n}
    figures = {"document_bytes": len(document), "file_bytes": size, "write_ms": write_ms}
    quantiles = {"read": {name: _quantiles(each) for name, each in read.items()}}
    return {**about, **figures, **quantiles, "solve": {name: _quantiles(each) for name, each in solved.items()}, "kills": kills}


def _quantiles(milliseconds: list[float]) -> dict[str, float]:
    p50, p95 = np.quantile(milliseconds, [0.5, 0.95])
    return {"p50_ms": float(p50), "p95_ms": float(p95)}


def page(result: dict[str, Any]) -> str:
    """The figures as a Markdown page."""
    kept, other = result["solve"]["kept"], result["solve"]["not kept"]
    lost = [kill["lost"] for kill in result["kills"]]
    n_whole = sum(kill["whole"] for kill in result["kills"])
    lines = [
        "# Kept searches",
        "",
        measured_by(result),
        "",
        f"A file holds {result['searches']:,} searches of {result['document_bytes'] / 1024:.0f} KiB each in JSON, and has "
        f"{result['file_bytes'] / 2**20:.0f} MiB. Writing one takes {result['write_ms']:.1f} ms.",
        "",
        f"| {result['requests']} requests each | p50, ms | p95, ms |",
        "|---|---|---|",
        *(f"| {name} | {each['p50_ms']:.1f} | **{each['p95_ms']:.1f}** |" for name, each in result["read"].items()),
        "",
        f"`POST /solve` with 2 particles takes **{kept['p50_ms'] / other['p50_ms']:.2f}** times as long in the median, and "
        f"**{kept['p95_ms'] / other['p95_ms']:.2f}** times at the 95th percentile, on a server that keeps searches in that "
        "file as on one that keeps none.",
        "",
        f"{len(lost)} servers were killed while {N_CLIENTS} clients asked one search after the other. Of "
        f"{sum(kill['answered'] for kill in result['kills']):,} answered searches **{sum(lost)}** are not kept, at most "
        f"**{max(lost)}** of one server, on which {N_CLIENTS} were under way. {n_whole} of "
        "the files are whole.",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=10_000, help="Number of searches in the file.")
    parser.add_argument("--requests", type=int, default=200, help="Number of requests of each kind.")
    parser.add_argument("--kills", type=int, default=20, help="Number of servers to kill.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.searches, arguments.requests, arguments.kills))
    save(arguments.out / "store", result, page(result))


if __name__ == "__main__":
    main()
