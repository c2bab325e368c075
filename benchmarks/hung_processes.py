"""The processes of ``benchmarks.hung_servers``: two servers of each model, which can hang, and the service in front of them."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from benchmarks.engines import free_port
from benchmarks.faulty_proxy import FAULTS, FaultyProxy, faulty_proxy
from epf.engines.onnx.pairs import STORIES

STOPPED = "stopped"
WORDS: dict[str, str] = {STOPPED: "its process is stopped (SIGSTOP)"} | {str(name): words for name, words in FAULTS.items()}
START_S = 300
GENERATOR = (
    "import sys, uvicorn\n"
    "from epf.engines.onnx.pairs import STORIES\n"
    "from tests.generators.openai.completions_server import completions_app\n"
    "app = completions_app(STORIES.generator, by_ids=True)\n"
    "uvicorn.run(app, port=int(sys.argv[1]), log_level='error')"
)
EPF = (sys.executable, "-c", "import sys; from epf.cli.main import main; sys.exit(main())")


@dataclass(frozen=True, slots=True)
class Victim:
    """A server that can hang: its process, and the proxy in front of it."""

    process: subprocess.Popen[bytes]
    proxy: FaultyProxy

    def hang(self, fault: str) -> None:
        """Hang in this way."""
        if fault == STOPPED:
            os.killpg(self.process.pid, signal.SIGSTOP)
        else:
            self.proxy.hang(next(name for name in FAULTS if name == fault))

    def recover(self) -> None:
        """Be well again."""
        self.proxy.recover()
        os.killpg(self.process.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Service:
    """The service, its log, and the servers behind it by role."""

    client: httpx.AsyncClient
    log: Path
    victims: dict[str, list[Victim]]

    async def gauge(self, metric: str, role: str) -> float:
        """Return a metric of the first server of this role."""
        text = (await self.client.get("/metrics")).text
        found = re.search(rf'^{metric}{{model="{role}",replica="0"}} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else float("nan")

    def logged(self, words: str) -> int:
        """Return the number of lines of the log with these words."""
        return self.log.read_text().count(words)


@asynccontextmanager
async def process(command: Sequence[str], health: str, *, settings: dict[str, str], log: IO[bytes]) -> AsyncIterator[Any]:
    """Run a server in a process group of its own; ready when ``health`` returns status 200 or 404."""
    running = subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
    )
    try:
        deadline_s = time.monotonic() + START_S
        async with httpx.AsyncClient(timeout=5) as client:
            while True:
                try:
                    if (await client.get(health)).status_code in (200, 404):
                        break
                except httpx.TransportError:
                    pass
                if running.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"{' '.join(command[:3])} did not start: see its log")
                await asyncio.sleep(0.2)
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGCONT)
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@asynccontextmanager
async def victim(command: Callable[[int], list[str]], health: str, settings: dict[str, str]) -> AsyncIterator[Victim]:
    """Run a server with a proxy in front of it."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        url = f"http://127.0.0.1:{port}{health}"
        async with process(command(port), url, settings=settings, log=log) as running, faulty_proxy(port) as proxy:
            yield Victim(running, proxy)


def vllm(port: int) -> list[str]:
    """Command of a real vLLM with the embedded model."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(STORIES.generator)]
    command += ["--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    return [*command, "--enforce-eager", "--block-size", "32", "--max-num-seqs", "64", "--no-enable-chunked-prefill"]


SERVICE = {"EPF_GENERATOR__SYSTEM_PROMPT": ""}
"""The embedded model was not trained to read one."""

VLLM_SETTINGS = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


@asynccontextmanager
async def served(*, with_vllm: bool) -> AsyncIterator[Service]:
    """Run the service and its four servers."""
    async with AsyncExitStack() as stack:

        async def start(command: Callable[[int], list[str]], health: str, settings: dict[str, str]) -> Victim:
            return await stack.enter_async_context(victim(command, health, settings))

        def prm(port: int) -> list[str]:
            return [*EPF, "serve-prm", "--reward-model", STORIES.name, "--port", str(port)]

        def generator(port: int) -> list[str]:
            return vllm(port) if with_vllm else [sys.executable, "-c", GENERATOR, str(port)]

        settings = VLLM_SETTINGS if with_vllm else {}
        generators = [await start(generator, "/health", settings) for _ in range(2)]
        scorers = [await start(prm, "/readyz", {}) for _ in range(2)]
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log"
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [*EPF, "serve", "--port", str(port), "--tokenizer", str(STORIES.generator)]
        command += ["--generator", ",".join(one.proxy.url for one in generators)]
        command += ["--reward-model", ",".join(one.proxy.url for one in scorers)]
        with log.open("wb") as lines:
            await stack.enter_async_context(process(command, f"{url}/readyz", settings=SERVICE, log=lines))
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
            yield Service(client, log, {"generator": generators, "reward_model": scorers})
