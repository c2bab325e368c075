"""A server with fake models that reports what it holds. It prints its address first and ends with its standard input.

A problem that begins with ``fault`` breaks the generator.
"""

import asyncio
import gc
import os
import sys
from pathlib import Path

from fastapi import FastAPI

from epf.core.generator import Sampling, Step
from epf.service.app import create_app
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import searches_of, served

FAULT = 1000 + ord("f")


class Faulty(ScriptedGenerator):
    """Fails on one kind of problem."""

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        if prefix_ids[0] == FAULT:
            raise RuntimeError("the engine broke")
        return await super().step(prefix_ids, sampling, seed)


def application() -> FastAPI:
    """The service with an additional route."""
    app = create_app(Faulty(), ScriptedRewardModel())

    @app.get("/held")
    async def held() -> dict[str, int]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {
            "rss_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
            "tasks": len(asyncio.all_tasks()),
            "files": len(os.listdir("/proc/self/fd")),
            "requests": searches_of(app).n_in_progress,
            "objects": len(gc.get_objects()),
        }

    return app


async def main() -> None:
    """Serve until standard input closes."""
    async with served(application()) as (host, port):
        print(f"http://{host}:{port}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
