"""Servers to measure against: ``vllm serve`` for a generator, ``epf serve-prm`` on vLLM for a reward model."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 300
BLOCK = 32
"""The smallest block size of vLLM's prefix cache on CPUs."""


@contextmanager
def vllm_serve(model: Path, *, dtype: str, cores: str) -> Iterator[str]:
    """Run a generator as ``vllm serve`` starts it, with prefix caching; yields its address."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(model),
        "--served-model-name",
        "model",
    ]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", dtype, "--enforce-eager", "--block-size", str(BLOCK)]
    # vLLM 0.32 on a CPU crashes on a seeded prompt that is read in chunks.
    command += ["--max-num-seqs", "128", "--enable-prefix-caching", "--no-enable-chunked-prefill"]
    with _running(command, {"VLLM_CPU_OMP_THREADS_BIND": cores}, f"http://127.0.0.1:{port}", "/health") as url:
        yield url


@contextmanager
def serve_prm(model: Path, *, family: str, dtype: str, cores: str) -> Iterator[str]:
    """Run our scoring server with a reward model in vLLM; yields its address."""
    port = free_port()
    engine = f'{{"dtype": "{dtype}", "enforce_eager": true, "block_size": {BLOCK}, "max_num_seqs": 128}}'
    settings = {
        "EPF_REWARD_MODEL__KIND": "vllm",
        "EPF_REWARD_MODEL__NAME": str(model),
        "EPF_REWARD_MODEL__FAMILY": family,
        "EPF_REWARD_MODEL__ENGINE": engine,
        "VLLM_CPU_OMP_THREADS_BIND": cores,
    }
    command = [
        sys.executable,
        "-c",
        "import sys; from epf.cli.main import main; sys.exit(main())",
        "serve-prm",
        "--port",
        str(port),
    ]
    with _running(command, settings, f"http://127.0.0.1:{port}", "/readyz") as url:
        yield url


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def counters(url: str, names: Sequence[str]) -> dict[str, float]:
    """Return counters of a vLLM server, summed over their labels."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        text = response.read().decode()
    return {name: sum(map(float, re.findall(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", text, re.MULTILINE))) for name in names}


@contextmanager
def _running(command: Sequence[str], settings: Mapping[str, str], url: str, health: str) -> Iterator[str]:
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_LOGGING_LEVEL": "ERROR"} | dict(settings)
    with (
        tempfile.TemporaryFile() as errors,  # an unread pipe would fill up and block the server
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors) as server,
    ):
        try:
            deadline = time.monotonic() + START_S
            while not _is_up(url + health):
                if server.poll() is not None or time.monotonic() > deadline:
                    errors.seek(0)
                    raise RuntimeError(
                        f"{' '.join(command[:4])} did not start: {errors.read().decode()[-3000:] or 'no output'}"
                    )
                time.sleep(0.5)
            yield url
        finally:
            server.terminate()


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
