"""Debian programs that the deployment tests run, and that not every machine has."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DEBIAN = ROOT / ".tools" / "usr" / "bin"
GUARD_S = 60


def find_program(program: str) -> str:
    """Return the path of a program. If it is missing, the test is skipped, or fails in CI."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:{DEBIAN}")
    if found is None and "CI" not in os.environ:
        pytest.skip(f"{program} is not installed: run `make tools` as root on Debian")
    assert found is not None, f"`make tools` did not install {program}"
    return found


@cache
def has_plugin() -> bool:
    """Whether the docker command has its compose plugin."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "compose", "version"], capture_output=True, timeout=GUARD_S).returncode == 0


def compose(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``docker compose`` (or ``docker-compose``, if only that is installed) in the project's root, without our settings."""
    command = ["docker", "compose"] if has_plugin() else [find_program("docker-compose")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("EPF_", "COMPOSE_"))}
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, timeout=GUARD_S
    )
