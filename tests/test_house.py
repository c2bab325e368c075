"""The house itself: what the package ships and imports, and that README's commands do what it says."""

import ast
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from epf.core.version import VERSION

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = sorted(pattern.rstrip("*") for pattern in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"])
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

GENERATED = {"build", "dist", "runs", "__pycache__"}


def imports(path: Path, *, at_once: bool = False) -> Iterator[str]:
    """What a module imports; with ``at_once``, what it imports when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_every_folder_with_modules_is_a_package() -> None:
    assert not [path.parent for path in MODULES if not (path.parent / "__init__.py").exists()]


def test_the_core_needs_no_torch() -> None:
    heavy = {"torch", "transformers", "safetensors", "onnx", "vllm"}
    training = {path for path in MODULES if "training" in path.parts}
    for path in set(MODULES) - training:
        # The module of an engine may ask for it when it starts it, by then the operator wants it.
        if path.name == "vllm.py":
            assert not {name.split(".")[0] for name in imports(path, at_once=True)} & heavy, path
            continue
        assert not {name.split(".")[0] for name in imports(path)} & heavy, path
    core = " ".join(PYPROJECT["project"]["dependencies"])
    assert not [name for name in heavy if re.search(rf"\b{name}\b", core)]


def test_weights_ship_with_the_package() -> None:
    weights = ROOT / "embedded" / "weights"
    files = [path for path in weights.rglob("*") if path.is_file()]
    assert {"generator", "reward_model"} <= {path.parent.name for path in files}
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["embedded"]
    assert all(
        any(fnmatch(str(path.relative_to(weights.parent)), pattern.replace("**/", "*")) for pattern in patterns)
        for path in files
    )
    assert sum(path.stat().st_size for path in files) <= 40_000_000


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    marks = re.compile("|".join(("/ro" + "ot/", "/wo" + "rk/", "/ho" + r"me/\w", "scr" + "atch/")))
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        made = any(part.startswith(".") or part.endswith(".egg-info") or part in GENERATED for part in parts[:-1])
        if not made and path.is_file() and path.suffix in {".py", ".md", ".toml", ".json", ".jinja", ".sh", ".yml", ""}:
            assert not marks.search(path.read_text(encoding="utf-8")), path


def test_version_is_told_once() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_make_hands_the_problem_on_as_typed() -> None:
    typed = 'It\'s $5 "each" $(HOME) `x` a\\b $$ #c'
    probe = "include Makefile\nprobe:\n\t@printf '%s' \"$$PROBLEM\"\n"
    for arguments, extra in (([f"PROBLEM={typed}"], {}), ([], {"PROBLEM": typed})):
        made = subprocess.run(
            ["make", "-s", "-f", "-", "probe", *arguments],
            cwd=ROOT,
            input=probe,
            env={**os.environ, **extra},
            capture_output=True,
            text=True,
            check=True,
        )
        assert made.stdout == typed


def blocks(language: str) -> list[str]:
    """Bodies of README's fenced blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def lines(start: str) -> list[str]:
    joined = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in joined if line.startswith(start)]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """Environment in which ``epf`` is the one of this checkout."""
    epf = tmp_path / "epf"
    code = "import sys; from epf.cli.main import main; sys.exit(main())"
    epf.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    epf.chmod(0o755)
    ours = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "EPF_DRAIN_NOTICE_S": "0"}
    return {**os.environ, **ours}


def test_readme_s_figures_are_the_measured_ones() -> None:
    assert (ROOT / "benchmarks" / "results" / "methods" / "table.md").read_text(encoding="utf-8").strip() in README


def test_ci_runs_readme_s_test_command() -> None:
    (block,) = re.findall(r"^## Test\n.*?^```\w*\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert block == "make check\n"


@pytest.mark.parametrize("line", lines("make"))
def test_readme_s_targets_exist(line: str) -> None:
    assert subprocess.run(["make", "--dry-run", *shlex.split(line)[1:]], cwd=ROOT, capture_output=True).returncode == 0


@pytest.mark.parametrize("line", lines("epf solve"))
def test_readme_s_commands_solve(line: str, shell: dict[str, str]) -> None:
    done = subprocess.run(line, shell=True, cwd=ROOT, env=shell, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("line", lines("epf eval"))
def test_readme_s_evaluation_runs(line: str, shell: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "was right most often" in done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="README calls the service with curl")
def test_readme_s_service_answers(shell: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (serve,) = lines("epf serve")
    command = shlex.split(serve.replace("8000", str(port)))
    with subprocess.Popen(command, cwd=ROOT, env=shell, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert any("running on" in line for line in server.stderr)
            for line in lines("curl"):
                done = subprocess.run(line.replace("8000", str(port)), shell=True, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
                assert '"answer"' in done.stdout or '"scores"' in done.stdout
        finally:
            server.terminate()


@pytest.mark.parametrize("block", [block for block in blocks("python") if "OpenAI" not in block])
def test_readme_s_python_runs(block: str, shell: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=ROOT, env=shell, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
