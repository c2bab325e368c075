"""The real ``vllm serve`` for tests: start it, read its metrics, kill it, pause it and start it again on the same port."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import httpx

BLOCK = 32
"""Smallest block of vLLM's cache on the CPU."""

ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    # One process with one thread for each engine: processes and threads that spin while they wait for each other are many times
    # slower on a machine whose few cores are busy. The engine is still in a process of its own.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}
STOP_S = 60
START_S = 300


class VllmServer:
    """A process of ``vllm serve`` with the model of ``directory``, named ``served``. It keeps its port across restarts."""

    def __init__(self, directory: Path, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(directory)]
        self._command += ["--served-model-name", "served"]
        self._command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
        # If a prompt is read in chunks, vLLM resets a seeded random generator, which ends the server on a CPU.
        self._command += ["--block-size", str(BLOCK), "--max-num-seqs", "64", "--no-enable-chunked-prefill", *arguments]
        self._environment = {**os.environ, **ENVIRONMENT, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; :meth:`wait` waits until it responds."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a signal then reaches the engine's process too
        )

    def wait(self) -> None:
        assert self._process is not None
        give_up = time.monotonic() + START_S
        while not self.answers():
            if self._process.poll() is not None:
                assert self._process.stderr is not None
                raise AssertionError(self._process.stderr.read().decode()[-3000:])
            assert time.monotonic() < give_up, "vllm serve did not start"
            time.sleep(0.5)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """Kill it at once, with its connections. A second call does nothing."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.communicate(timeout=STOP_S)
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=STOP_S)
            self._process = None

    async def count(self, metric: str) -> float:
        """Sum of a metric over all labels that match the pattern ``metric``."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{self.url}/metrics", timeout=30)).text
        return sum(float(value) for value in re.findall(rf"^vllm:{metric} (\S+)$", text, re.MULTILINE))

    async def until(self, metric: str, value: float) -> None:
        """Wait until ``metric`` is at least ``value``, or exactly 0 if ``value`` is 0. The caller limits the time."""
        while (count := await self.count(metric)) < value or (value == 0 and count > 0):
            await asyncio.sleep(0.05)


RUNNING = r"num_requests_running\{.*\}"
WAITING = r"num_requests_waiting\{.*\}"
FINISHED = r"request_success_total\{.*\}"
"""Requests that came to their end; those that were given up are not among them."""


@contextmanager
def vllm_servers(*servers: VllmServer) -> Iterator[None]:
    """Start them concurrently, and stop them at the end."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        yield
    finally:
        for server in servers:
            server.stop()


@contextmanager
def vllm_serve(directory: Path, *arguments: str) -> Iterator[str]:
    """URL of a server of the model of ``directory``, once it responds."""
    server = VllmServer(directory, *arguments)
    with vllm_servers(server):
        yield server.url
