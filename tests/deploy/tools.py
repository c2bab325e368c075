"""What the tests of the deployment run: programs of Debian that not every machine has."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DEBIAN = ROOT / ".tools" / "usr" / "bin"
GUARD_S = 60


def needed(program: str) -> str:
    """Path of a program; without it the test is skipped, but where everything must be tested it fails."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:{DEBIAN}")
    if found is None and "CI" not in os.environ:
        pytest.skip(f"{program} is not there: make tools, as root on Debian")
    assert found is not None, f"make tools did not bring {program}"
    return found


@cache
def has_plugin() -> bool:
    """Whether docker itself knows of compose."""
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0


def compose(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``docker compose`` in the project's root, or ``docker-compose`` where only that is installed, with no setting of ours."""
    command = ["docker", "compose"] if has_plugin() else [needed("docker-compose")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("EPF_", "COMPOSE_"))}
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, timeout=GUARD_S
    )
