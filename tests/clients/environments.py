"""An environment for each client: created when it is missing or holds other packages, within a limited time."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".venv-clients"
NODE_PACKAGES = HERE / "node"
INSTALL_S = 300
SHOWN_LINES = 3


class NotInstalled(Exception):
    """An environment could not be made; the message says why and what to do."""


class Deadline:
    """The time by which everything must have ended."""

    def __init__(self, limit_s: float) -> None:
        self._at_s = time.monotonic() + limit_s

    def within(self, limit_s: float) -> float:
        """Seconds that are left, at most ``limit_s`` and never none, so that what is too late fails at once."""
        return max(0.01, min(limit_s, self._at_s - time.monotonic()))


def python(requirements: Sequence[str], name: str, deadline: Deadline) -> list[str]:
    """The command of an interpreter that has ``requirements``; without any, this one.

    Raises:
        NotInstalled: the packages could not be installed.
    """
    if not requirements:
        return [sys.executable]
    folder = ENVIRONMENTS / name
    interpreter = folder / "bin" / "python"
    if _is_missing(folder, "\n".join(requirements)):
        if shutil.which("uv"):
            create = ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
            fill = ["uv", "pip", "install", "--quiet", "--python", str(interpreter), *requirements]
        else:
            create = [sys.executable, "-m", "venv", "--clear", str(folder)]
            fill = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        _install(folder, "\n".join(requirements), (create, fill), deadline)
    return [str(interpreter)]


def node(deadline: Deadline) -> list[str]:
    """The command of Node.js in a folder that has the packages of ``node/package-lock.json``.

    Raises:
        NotInstalled: there is no Node.js, or the packages could not be installed.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        raise NotInstalled("Node.js or npm is missing: install Node.js 20 or newer")
    folder = ENVIRONMENTS / "node"
    lock = (NODE_PACKAGES / "package-lock.json").read_text(encoding="utf-8")
    if _is_missing(folder, lock):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE_PACKAGES / name, folder)
        command = ["npm", "ci", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        _install(folder, lock, (command,), deadline)
    # Node.js looks for packages next to a script and above it.
    for script in NODE_PACKAGES.glob("*.mjs"):
        shutil.copy(script, folder)
    return ["node"]


def versions(folder: Path = NODE_PACKAGES) -> Mapping[str, str]:
    """The versions that ``package.json`` pins, by package."""
    pinned: dict[str, str] = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return pinned


def _is_missing(folder: Path, content: str) -> bool:
    installed = folder / "installed"
    return not installed.exists() or installed.read_text(encoding="utf-8") != content


def _install(folder: Path, content: str, commands: Sequence[Sequence[str]], deadline: Deadline) -> None:
    started_s = time.monotonic()
    print(f"{folder.name}: installing into {folder.relative_to(ROOT)}", flush=True)
    for command in commands:
        try:
            limit_s = deadline.within(INSTALL_S)
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=limit_s, stdin=subprocess.DEVNULL, env=os.environ
            )
        except subprocess.TimeoutExpired:
            raise NotInstalled(
                f"{command[0]} did not end within {limit_s:.0f} s: is the package index slow or out of reach?"
            ) from None
        if done.returncode:
            words = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise NotInstalled(f"{command[0]} failed, is the package index out of reach? {' '.join(words[-SHOWN_LINES:])}")
    (folder / "installed").write_text(content, encoding="utf-8")
    print(f"{folder.name}: installed in {time.monotonic() - started_s:.0f} s", flush=True)
