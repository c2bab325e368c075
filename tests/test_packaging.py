"""What the package ships and imports."""

import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from epf.core.version import VERSION

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
MODULES = sorted(path for room in ROOMS for path in room.rglob("*.py"))

GENERATED = {"build", "dist", "runs", "__pycache__"}


def test_every_folder_with_modules_is_a_package() -> None:
    assert not [path.parent for path in MODULES if not (path.parent / "__init__.py").exists()]


def test_the_core_installs_no_torch() -> None:
    names = {re.split(r"[^\w-]", dependency)[0] for dependency in PYPROJECT["project"]["dependencies"]}
    assert not names & {"torch", "transformers", "safetensors", "onnx", "vllm"}


def test_weights_ship_with_the_package() -> None:
    weights = ROOT / "engines" / "onnx" / "weights"
    files = [path for path in weights.rglob("*") if path.is_file()]
    assert {"generator", "reward_model"} <= {path.parent.name for path in files}
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["epf.engines.onnx"]
    assert all(
        any(fnmatch(str(path.relative_to(weights.parent)), pattern.replace("**/", "*")) for pattern in patterns)
        for path in files
    )
    assert sum(path.stat().st_size for path in files) <= 40_000_000


def test_no_file_names_a_path_of_its_author_s_machine() -> None:
    marks = re.compile("|".join(("/ro" + "ot/", "/wo" + "rk/", "/ho" + r"me/\w", "scr" + "atch/")))
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        made = any(part.startswith(".") or part.endswith(".egg-info") or part in GENERATED for part in parts[:-1])
        if not made and path.is_file() and path.suffix in {".py", ".md", ".toml", ".json", ".jinja", ".sh", ".yml", ""}:
            assert not marks.search(path.read_text(encoding="utf-8")), path


def test_the_version_has_one_source() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_make_passes_the_problem_on_as_typed() -> None:
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
            timeout=60,
        )
        assert made.stdout == typed
