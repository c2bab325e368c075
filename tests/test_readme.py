"""README's commands, run as they stand, do what README says."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Bodies of README's fenced blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands(start: str) -> list[str]:
    """README's shell commands that begin with ``start``, each on one line."""
    joined = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in joined if line.startswith(start)]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """Environment in which ``epf`` is the one of this checkout."""
    epf = tmp_path / "epf"
    code = "import sys; from epf.cli.main import main; sys.exit(main())"
    epf.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    epf.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "EPF_DRAIN_NOTICE_S": "0"}


def test_results_are_the_measured_ones() -> None:
    assert (ROOT / "benchmarks" / "results" / "methods" / "table.md").read_text(encoding="utf-8").strip() in README


def test_ci_runs_the_test_command() -> None:
    (block,) = re.findall(r"^## Test\n.*?^```\w*\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert block == "make test\n"


@pytest.mark.parametrize("line", commands("make"))
def test_targets_exist(line: str) -> None:
    dry_run = ["make", "--dry-run", *shlex.split(line)[1:]]
    assert subprocess.run(dry_run, cwd=ROOT, capture_output=True, timeout=60).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("line", commands("epf solve"))
def test_commands_solve(line: str, shell: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("line", commands("epf eval"))
def test_evaluation_runs(line: str, shell: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "was right most often" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="README calls the service with curl")
def test_service_answers(shell: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (serve,) = commands("epf serve")
    command = shlex.split(serve.replace("8000", str(port)))
    with subprocess.Popen(command, cwd=tmp_path, env=shell, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert any("running on" in line for line in server.stderr)
            for line in commands("curl"):
                done = subprocess.run(line.replace("8000", str(port)), shell=True, capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, done.stderr
                assert '"answer"' in done.stdout or '"scores"' in done.stdout
        finally:
            server.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in blocks("python") if "OpenAI" not in block])
def test_python_runs(block: str, shell: dict[str, str], tmp_path: Path) -> None:
    run = [sys.executable, "-W", "error", "-c", block]
    done = subprocess.run(run, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout
