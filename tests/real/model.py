"""Where the converted model lies, and its servers: vLLM's, and llama.cpp's in an environment of its own."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import running
from tests.vllm.serve import VllmServer, vllm_servers

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "epf"
MODEL = CACHE / "SmolLM2-135M-Instruct"
"""Made by ``make test-real``."""

LLAMA_PYTHON = ROOT / ".venv-llama" / "bin" / "python"
CONTEXT = 2048
"""Maximum number of tokens of one request, on both servers."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the model that has started.

    Attributes:
        kind: ``vllm`` or ``llama.cpp``.
        url: its address.
        model: the name that it gives the model.
        running: pattern of the metric with the number of requests under way.
    """

    kind: str
    url: str
    model: str
    running: str

    async def until_idle(self) -> None:
        """Wait until no request is under way. The caller limits the time."""
        async with httpx.AsyncClient(timeout=30) as client:
            while self._count((await client.get(f"{self.url}/metrics")).text) > 0:
                pass

    async def until_busy(self) -> None:
        """Wait until a request is under way. The caller limits the time."""
        async with httpx.AsyncClient(timeout=30) as client:
            while self._count((await client.get(f"{self.url}/metrics")).text) == 0:
                pass

    def _count(self, metrics: str) -> float:
        found = re.findall(rf"^{self.running} (\S+)$", metrics, re.MULTILINE)
        assert found, metrics
        return sum(map(float, found))


class NamedByPath(VllmServer):
    """What ``vllm serve MODEL`` runs, with what a CPU needs: the command itself does not start in vLLM's build for CPUs."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        super().__init__(directory, *arguments)
        at = self._command.index("--served-model-name")
        del self._command[at : at + 2]


@contextmanager
def vllm() -> Iterator[Server]:
    """vLLM's server, in float32, on one core."""
    server = NamedByPath(MODEL, "--max-model-len", str(CONTEXT), "--max-logprobs", "-1")
    with vllm_servers(server):
        yield Server("vllm", server.url, str(MODEL), r"vllm:num_requests_(?:running|waiting)\{.*\}")


@contextmanager
def llama_cpp() -> Iterator[Server]:
    """llama.cpp's server, with the quantized weights, on one core."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(LLAMA_PYTHON), "-m", "tests.real.llama_server", str(port)]
    with running(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "llama.cpp's server did not start"
        (model,) = httpx.get(f"{url}/v1/models", timeout=30).json()["data"]
        yield Server("llama.cpp", url, model["id"], "llamacpp:requests_(?:processing|deferred)")
