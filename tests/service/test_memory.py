"""Ten thousand requests of every kind leave nothing behind in the server's process: no memory, tasks or open files."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import running
from tests.service.serving import posted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
N_WARM = 2_000
N_REQUESTS = 10_000
AT_ONCE = 16
VANISHING, FAULTY = 0.2, 0.05
GUARD_S = 600
MOST_BYTES = 1_300
"""Maximum growth per request: 40 MB over 30,000 requests."""

MESSAGES = [{"role": "user", "content": "{problem}"}]
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/solve", {"problem": "{problem}", "n_particles": 2}),
    ("/solve", {"problem": "{problem}", "n_particles": 2, "stream": True}),
    ("/solve", {"problem": "{problem}", "n_particles": 2, "lookahead": "reuse", "return_particles": True}),
    ("/solve/batch", {"problems": ["{problem}", "{problem} again"], "n_particles": 1}),
    ("/score", {"problem": "{problem}", "steps": ["1 + 1 = 2.", "2 + 2 = 4."]}),
    ("/v1/chat/completions", {"model": "epf-2", "messages": MESSAGES}),
    ("/v1/chat/completions", {"model": "epf-2", "messages": MESSAGES, "stream": True}),
    ("/v1/chat/completions", {"model": "scripted-generator", "messages": MESSAGES, "n": 2}),
    ("/solve", {"problem": "{problem}", "n_particles": 0}),
    ("/nowhere", {"problem": "{problem}"}),
)


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.service.memory_server"]
    pipe = subprocess.PIPE
    with running(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def filled(body: Any, problem: str) -> Any:
    """``body`` with the problem inserted."""
    if isinstance(body, dict):
        return {name: filled(value, problem) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, problem) for value in body]
    return body.replace("{problem}", problem) if isinstance(body, str) else body


async def ask(client: httpx.AsyncClient, address: tuple[str, int], i: int, chance: random.Random) -> str:
    """Send one request and return its outcome."""
    path, body = chance.choice(KINDS)
    faulty = chance.random() < FAULTY
    body = filled(body, f"{'fault' if faulty else 'problem'} number {i}: how many are {i} birds and {chance.random()} birds?")
    if chance.random() < VANISHING:
        async with posted(address, path, body) as (_, writer):
            await writer.drain()
            if chance.random() < 0.5:
                writer.transport.abort()
        return "vanished"
    async with client.stream("POST", path, json=body) as response:
        await response.aread()
    return str(response.status_code)


async def flood(url: str, first: int, n: int) -> Counter[str]:
    """Send ``n`` requests, several at a time, and count the outcomes."""
    chance = random.Random(first)
    waiting = iter(range(first, first + n))
    outcomes: Counter[str] = Counter()
    host, port = url.removeprefix("http://").split(":")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def caller() -> None:
            for i in waiting:
                outcomes[await ask(client, (host, int(port)), i, chance)] += 1

        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return outcomes


async def held(url: str) -> dict[str, int]:
    """What the server holds after all requests have ended and connections are closed."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        while True:
            found: dict[str, int] = (await client.get("/held")).json()
            if found["requests"] == 0 and found["tasks"] <= (await client.get("/held")).json()["tasks"]:
                return found


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_ten_thousand_requests_leave_nothing_behind() -> None:
    async def scenario(url: str) -> None:
        async with asyncio.timeout(GUARD_S):
            await flood(url, 0, N_WARM)
            before = await held(url)
            outcomes = await flood(url, N_WARM, N_REQUESTS)
            after = await held(url)
        grown = {name: after[name] - before[name] for name in before}
        per_request = grown["rss_bytes"] / N_REQUESTS
        print(f"{N_REQUESTS} requests {dict(outcomes)}: resident memory grew by {per_request:.0f} bytes per request; {grown}")
        assert outcomes["vanished"] > N_REQUESTS * VANISHING / 2
        assert outcomes["502"] > 0
        assert outcomes["200"] > N_REQUESTS / 3
        assert set(outcomes) == {"vanished", "200", "400", "404", "502"}
        assert per_request <= MOST_BYTES
        assert grown["tasks"] <= 0
        assert grown["files"] <= 0
        assert grown["objects"] < N_REQUESTS / 10

    with server() as url:
        asyncio.run(scenario(url))
