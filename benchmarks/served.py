"""A real server in a process of its own, and what that process holds: memory, open files, tasks."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.inside.sitecustomize import VARIABLE
from benchmarks.wire import Wire
from epf.engines.onnx.pairs import STORIES

INSIDE = Path(__file__).parent / "inside"
START_S = 120.0
CLOSING_S = 60.0


class Held(NamedTuple):
    """What a server's process holds."""

    rss_mb: float
    children_pss_mb: float
    files: int
    tasks: int


class Served(NamedTuple):
    """A running server."""

    address: tuple[str, int]
    pid: int
    tasks_file: Path

    async def held(self) -> Held:
        """Count what the process holds now."""
        self.tasks_file.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR2)
        while not self.tasks_file.exists():
            await asyncio.sleep(0.05)
        return Held(
            rss_mb=_mb(self.pid, "Rss:"),
            children_pss_mb=sum(_mb(child, "Pss:") for child in descendants(self.pid)),
            files=len(os.listdir(f"/proc/{self.pid}/fd")),
            tasks=int(self.tasks_file.read_text(encoding="utf-8")),
        )


@asynccontextmanager
async def served(
    command: Sequence[str], settings: Mapping[str, str] | None = None, *, max_files: int | None = None
) -> AsyncIterator[Served]:
    """Run ``epf`` with the pair ``stories`` on a free port until the block ends; ``max_files`` limits its file descriptors."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        tasks_file = Path(folder) / "tasks"
        environment = {
            **os.environ,
            "PYTHONPATH": str(INSIDE),
            VARIABLE: str(tasks_file),
            "EPF_GENERATOR": STORIES.name,
            "EPF_REWARD_MODEL": STORIES.name,
            "EPF_LOG_LEVEL": "error",
            "EPF_DRAIN_NOTICE_S": "0",
            **(settings or {}),
        }
        limit = [] if max_files is None else ["bash", "-c", f'ulimit -n {max_files}; exec "$@"', "bash"]
        epf = [str(Path(sys.executable).with_name("epf")), *command, "--port", str(port)]
        with subprocess.Popen([*limit, *epf], env=environment) as process:
            try:
                await _until_ready(("127.0.0.1", port), process)
                yield Served(("127.0.0.1", port), process.pid, tasks_file)
            finally:
                process.terminate()
                try:
                    await asyncio.to_thread(process.wait, CLOSING_S)
                except subprocess.TimeoutExpired:
                    process.kill()


async def _until_ready(address: tuple[str, int], process: "subprocess.Popen[bytes]") -> None:
    over_s = time.monotonic() + START_S
    while time.monotonic() < over_s:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        try:
            async with Wire(address) as wire:
                if (await wire.ask("GET", "/readyz")).status == 200:
                    return
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {START_S:g} s")


def descendants(pid: int) -> list[int]:
    """Pids of all processes that a process has started, and of those that these have started."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has just ended
        return []
    return [found for child in children for found in (child, *descendants(child))]


def _mb(pid: int, field: str) -> float:
    """A field of the process's memory in MB, 0 if the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
