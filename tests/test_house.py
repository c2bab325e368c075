"""What the package ships and imports."""

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from epf.core.version import VERSION

ROOT = Path(__file__).parent.parent
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
