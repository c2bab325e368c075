"""The Dockerfiles: linted, and the commands of the service's image run one by one, without a container engine."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from epf.entropy.registry import TOOLS
from tests.deploy.tools import ROOT
from tests.processes import running

DOCKERFILES = ("Dockerfile", "deploy/prm.Dockerfile")
UID = 10001
GUARD_S = 60
INSTALL_S = 600
BUILD_FILES = {"LICENSE", "README.md", "__init__.py", "py.typed", "pyproject.toml", "setup.py"}
NOT_IN_THE_IMAGE = {"benchmarks", "build", "docs", "tests", "training"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCS = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
PINNED = {
    canonicalize_name(name): version
    for line in (ROOT / "deploy" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for name, version in [line.split("==")]
}


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions and their values in order, with continued lines joined."""
    parser = DockerfileParser(path=str(ROOT / dockerfile))
    found = [(part["instruction"], part["value"]) for part in parser.structure]
    return [(instruction, value) for instruction, value in found if instruction != "COMMENT"]


def last(dockerfile: str, instruction: str) -> str:
    return [value for name, value in instructions(dockerfile) if name == instruction][-1]


def context() -> set[Path]:
    """Return the files of the build context, by the rules of .dockerignore."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    sent = {Path(path) for path in exclude_paths(str(ROOT), patterns) if (ROOT / path).is_file()}
    return sent - {Path("Dockerfile"), Path(".dockerignore")}  # always sent to the builder, never copied


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_the_linter_reports_nothing(dockerfile: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, dockerfile], cwd=ROOT, capture_output=True, text=True, timeout=GUARD_S)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_base_images_are_pinned_and_commands_need_no_shell(dockerfile: str) -> None:
    for instruction, value in instructions(dockerfile):
        if instruction == "FROM":
            assert re.match(r"[\w/-]+:v?\d+\.\d+\.\d+", value), value
    for instruction in ("CMD", "HEALTHCHECK"):
        assert re.search(r'\["\w.*"\]$', last(dockerfile, instruction))


def test_the_service_image_has_a_user_and_no_build_tools() -> None:
    assert last("Dockerfile", "USER") == f"{UID}:{UID}"
    parts = instructions("Dockerfile")
    final = parts[max(i for i, (name, _) in enumerate(parts) if name == "FROM") :]
    assert "RUN" not in {name for name, _ in final}
    assert [value for name, value in final if name == "COPY"] == ["--from=build /opt/epf /opt/epf"]


def test_pinned_versions_satisfy_the_package() -> None:
    for text in [*PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"]["entropy"]]:
        requirement = Requirement(text)
        assert PINNED[canonicalize_name(requirement.name)] in requirement.specifier, "make constraints"
    assert not {"torch", "transformers", "vllm", "setuptools", "pip"} & PINNED.keys()


def test_packages_added_to_the_vllm_image_are_pinned() -> None:
    (listed,) = re.findall(r"\^\((.*?)\)==", last("deploy/prm.Dockerfile", "RUN"))
    lines = (ROOT / "deploy" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for name in listed.split("|"):
        assert [line for line in lines if line.startswith(f"{name}==")], name


def test_the_build_context_holds_the_package_and_nothing_else() -> None:
    sent = context()
    weights = {path.relative_to(ROOT) for path in (ROOT / "engines" / "onnx" / "weights").rglob("*") if path.is_file()}
    assert weights
    assert weights <= sent
    subpackages = {path.parent.name for path in ROOT.glob("[a-z]*/__init__.py")} - NOT_IN_THE_IMAGE
    assert {"core", "search", "service"} <= subpackages
    assert {path.parts[0] for path in sent} == {*BUILD_FILES, *subpackages, "deploy"}
    assert {path for path in sent if path.parts[0] == "deploy"} == {Path("deploy/constraints.txt")}
    assert not [path for path in sent if {"training", "__pycache__"} & set(path.parts)]


class Machine:
    """A stand-in for a container: the image's paths lie under ``root``, and ``base`` is the Python of its base image."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cwd = root
        self.environment = {"PATH": f"{root}/base/bin:/usr/bin:/bin", "HOME": "/"}
        subprocess.run([sys.executable, "-m", "venv", root / "base"], check=True, timeout=GUARD_S)
        for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT", "PIP_FIND_LINKS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def inside(self, text: str) -> str:
        """Return ``text`` with the image's paths moved below ``root``."""
        return re.sub(r"(?<![\w.])/(?=(?:opt|src)\b)", f"{self.root}/", text)

    def build(self, dockerfile: str) -> None:
        """Run the instructions of the Dockerfile; an unknown one fails."""
        for instruction, value in instructions(dockerfile):
            match instruction:
                case "WORKDIR":
                    self.cwd = Path(self.inside(value))
                    self.cwd.mkdir(parents=True, exist_ok=True)
                case "COPY" if not value.startswith("--from=build /opt/epf /opt/epf"):
                    self._copy(*value.split())
                case "RUN":
                    command = ["bash", "-euo", "pipefail", "-c", self.inside(value)]
                    done = subprocess.run(
                        command, cwd=self.cwd, env=self.environment, capture_output=True, text=True, timeout=INSTALL_S
                    )
                    assert done.returncode == 0, done.stdout + done.stderr
                case "ENV":
                    for assignment in shlex.split(value):
                        name, chosen = assignment.split("=")
                        self.environment[name] = self.inside(chosen).replace("$PATH", self.environment["PATH"])
                case _:
                    assert instruction in ("FROM", "COPY", "LABEL", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD")

    def _copy(self, source: str, target: str) -> None:
        for path in context():
            if source == "." or path == Path(source):
                to = self.cwd / target / path if source == "." else self.cwd / target
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, to)

    def as_user(self, command: Sequence[str]) -> list[str]:
        """Return ``command`` run as the image's user.

        That user may write nothing, and may read everything, since Python itself may be in root's home.
        """
        if os.getuid() != 0:
            return list(command)
        read = "-all,+dac_read_search"
        capabilities = [f"--{kind}={read}" for kind in ("bounding-set", "inh-caps", "ambient-caps")]
        return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", *capabilities, *command]


@contextmanager
def started(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[str]"]:
    with log.open("wb") as file, running(command, cwd="/", env=environment, stdout=file, stderr=file) as process:
        yield process


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_S)
def test_the_commands_of_the_image_install_a_service_that_solves(tmp_path: Path) -> None:
    """Plays Docker's part: build, start as the image's user, check health, send requests, stop."""
    machine = Machine(tmp_path)
    machine.build("Dockerfile")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    start: list[str] = json.loads(last("Dockerfile", "CMD").replace('"8000"', f'"{port}"'))
    health: list[str] = json.loads(last("Dockerfile", "HEALTHCHECK").partition("CMD ")[2].replace("8000", port))
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["epf"]
    # Compose fills in the default of a variable that is not set.
    filled = {name: re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", value) for name, value in compose["environment"].items() if value}
    environment = machine.environment | filled
    environment["PATH"] = f"{machine.root}/opt/epf/bin:/usr/bin:/bin"
    log = tmp_path / "log"

    def healthy() -> bool:
        done = subprocess.run(machine.as_user(health), cwd="/", env=environment, capture_output=True, timeout=GUARD_S)
        return done.returncode == 0

    assert not healthy(), "something listens already"
    with started(machine.as_user(start), environment, log) as process:
        while not healthy():
            assert process.poll() is None, log.read_text(encoding="utf-8")
        if os.getuid() == 0:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            assert re.search(rf"^Uid:(\t{UID}){{4}}$", status, flags=re.MULTILINE)
        for line in re.findall(r"^curl .*?[^\\]$", DOCS, flags=re.MULTILINE | re.DOTALL):
            if "localhost:8000" in line:
                done = subprocess.run(line.replace("8000", port), shell=True, capture_output=True, text=True, timeout=GUARD_S)
                assert done.returncode == 0, done.stderr
                assert '"answer":"28"' in done.stdout
        for tool in TOOLS.values():
            response = httpx.post(f"http://127.0.0.1:{port}{tool.endpoint}", json=tool.example, timeout=GUARD_S)
            assert response.status_code == 200, response.text
        process.send_signal(getattr(signal, last("Dockerfile", "STOPSIGNAL")))
        seconds = float(compose["stop_grace_period"].removesuffix("s"))
        assert process.wait(seconds) in (0, -signal.SIGTERM)
    size = sum(path.lstat().st_size for path in (tmp_path / "opt" / "epf").rglob("*"))
    print(f"the image holds {size / 1e6:.0f} MB in addition to its base")
