"""What the package ships, installs and exports."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import pytest

import epf
from epf.core.version import VERSION

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
MODULES = sorted(path for room in ROOMS for path in room.rglob("*.py"))

NOT_SHIPPED = {"benchmarks", "training"}
DATA = (ROOT / "engines" / "onnx" / "weights", ROOT / "problem_sets" / "data", ROOT / "service" / "web" / "static")
GUARD_S = 600
PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
SCRIPT = f"""from epf import solve

result = solve({PROBLEM!r}, seed=1)
print(result.answer)
"""


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


def test_the_version_has_one_source() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """Runs a command without this process's Python paths and returns what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=GUARD_S
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


class Environment:
    """A virtual environment and a copy of the files under version control to install from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / ".venv" / "bin" / "python"
        self.source = folder / "source"
        self.empty = folder / "empty"
        self.empty.mkdir()
        listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
        for name in listed.splitlines():
            if (ROOT / name).is_file():
                (self.source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.source / name)
        run(sys.executable, "-m", "venv", folder / ".venv", cwd=folder)

    def install(self, *arguments: str | Path) -> str:
        """Runs ``pip install``, by uv where it is at hand, and returns what it prints."""
        uv = shutil.which("uv")
        pip = (uv, "pip", "install", "--python", self.python) if uv else (self.python, "-m", "pip", "install")
        return run(*pip, *arguments, cwd=self.source)

    def solves(self) -> None:
        """Solves a problem from an empty directory, on the command line and from Python."""
        assert run(self.python, "-c", SCRIPT, cwd=self.empty).split() == ["28"]
        assert "answer 28" in run(self.python.with_name("epf"), "solve", "--seed", "1", PROBLEM, cwd=self.empty)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment after ``pip install .``"""
    made = Environment(tmp_path_factory.mktemp("packaging"))
    made.install(".")
    return made


@pytest.fixture(scope="module")
def built(environment: Environment) -> tuple[Path, Path, str]:
    """The source distribution, the wheel that is built from it, and what the build prints."""
    environment.install("build")
    printed = run(environment.python, "-m", "build", "--outdir", environment.folder / "dist", cwd=environment.source)
    (sdist,) = (environment.folder / "dist").glob("*.tar.gz")
    (wheel,) = (environment.folder / "dist").glob("*.whl")
    return sdist, wheel, printed


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
@pytest.mark.xdist_group("packaging")
class TestInstalled:
    """All in one environment. Each test that says so installs the package in another way, over what was there."""

    def test_pip_installs_one_import_name(self, environment: Environment) -> None:
        code = "import importlib.metadata as m; print(*m.files('entropic-particle-filtering'), sep='\\n')"
        files = run(environment.python, "-c", code, cwd=environment.empty).splitlines()
        names = {file.split("/")[0] for file in files if not file.startswith("../")}
        assert names == {"epf", f"entropic_particle_filtering-{VERSION}.dist-info"}
        assert {file for file in files if file.startswith("../")} == {"../../../bin/epf"}
        environment.solves()

    def test_the_build_prints_no_warnings(self, built: tuple[Path, Path, str]) -> None:
        printed = [line for line in built[2].splitlines() if "byte-compiling is disabled" not in line]
        assert not [
            line for line in printed if re.search(r"warning(?!s\.py)|deprecated|no previously-included", line, re.IGNORECASE)
        ]

    def test_the_wheel_holds_what_runs_and_nothing_else(self, built: tuple[Path, Path, str]) -> None:
        with ZipFile(built[1]) as archive:
            held = {name for name in archive.namelist() if ".dist-info/" not in name}
        modules = {path.relative_to(ROOT) for path in MODULES if path.relative_to(ROOT).parts[0] not in NOT_SHIPPED}
        data = {path.relative_to(ROOT) for folder in DATA for path in folder.rglob("*") if path.is_file()}
        assert held == {f"epf/{path}" for path in (Path("__init__.py"), Path("py.typed"), *modules, *data)}

    @pytest.mark.parametrize("form", ["wheel", "source distribution", "editable"])
    def test_every_form_of_the_package_solves(self, form: str, environment: Environment, built: tuple[Path, Path, str]) -> None:
        sdist, wheel, _ = built
        sources: dict[str, list[str | Path]] = {
            "wheel": [wheel],
            "source distribution": [sdist],
            "editable": ["--editable", "."],
        }
        environment.install("--force-reinstall", "--no-deps", *sources[form])
        environment.solves()

    def test_modules_of_the_user_with_names_of_ours_do_no_harm(self, environment: Environment, tmp_path: Path) -> None:
        for room in (path.name for path in ROOMS):
            (tmp_path / room).mkdir()
            (tmp_path / room / "__init__.py").write_text("raise RuntimeError('the user has a module of this name')\n")
        for module in ("errors", "solve", "version"):
            (tmp_path / f"{module}.py").write_text("raise RuntimeError('the user has a module of this name')\n")
        (tmp_path / "script.py").write_text(SCRIPT)
        assert run(environment.python, "script.py", cwd=tmp_path).split() == ["28"]

    def test_a_type_checker_reads_the_installed_types(
        self, environment: Environment, built: tuple[Path, Path, str], tmp_path: Path
    ) -> None:
        environment.install("--force-reinstall", "--no-deps", built[1])
        (tmp_path / "script.py").write_text(f"{SCRIPT}reveal_type(result.answer)\n")
        command = (sys.executable, "-m", "mypy", "--strict", "--python-executable", environment.python, "script.py")
        assert 'Revealed type is "str | None"' in run(*command, cwd=tmp_path).replace("builtins.", "")


def test_public_names_are_sorted_importable_and_declared_for_type_checkers() -> None:
    assert epf.__all__ == sorted(epf.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(epf, name) for name in epf.__all__)
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (declared,) = (node for node in tree.body if isinstance(node, ast.If))
    assert {alias.name for node in declared.body if isinstance(node, ast.ImportFrom) for alias in node.names} == set(
        epf.__all__
    )


def test_importing_the_package_loads_no_room_and_no_numpy() -> None:
    code = "import sys, epf; print(*sorted(name for name in sys.modules if name == 'numpy' or name.startswith('epf.')))"
    assert run(sys.executable, "-c", code, cwd=ROOT).split() == []
