"""Try the service with widely used clients, each in its own environment: ``python -m tests.clients.run``.

Each client calls its own server process over a real socket. The environments are kept in ``.venv-clients`` until a requirement
changes here or ``make clean`` removes them. Prints a table at the end, and exits with status 1 if a case failed.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clients.cases import NAMES
from tests.processes import running

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".venv-clients"
N_PARALLEL = 2
INSTALL_S = 900
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Client:
    """A script in this folder and the package that it needs; without a requirement, any interpreter runs it."""

    name: str
    script: str
    requirement: str | None = None


CLIENTS = (
    Client("litellm", "litellm_client.py", "litellm>=1.60,<2"),
    Client("langchain", "langchain_client.py", "langchain-openai>=1,<2"),
    Client("openai-2", "openai_client.py", "openai>=2,<3"),
    Client("openai-3", "openai_client.py", "openai>=3,<4"),
    Client("llm", "llm_client.py", "llm>=0.27,<1"),
    Client("open-webui", "open_webui_client.py"),
)
"""The client that takes longest to install comes first."""

Results = dict[str, dict[str, str]]
"""Outcomes by client, then by case."""


def main() -> int:
    """Run all clients, two at a time, and print the table."""
    start = time.monotonic()
    results: Results = {}
    with ThreadPoolExecutor(N_PARALLEL) as pool:
        for found in pool.map(run_client, CLIENTS):
            results.update(found)
    print(table(results))
    failures = [
        f"{client}, {case}: {outcome}"
        for client, cases in results.items()
        for case, outcome in cases.items()
        if has_failed(outcome)
    ]
    print("\n".join(failures) or f"All clients work ({time.monotonic() - start:.0f} s).")
    return 1 if failures else 0


def run_client(client: Client) -> Results:
    """Return the outcome of each case of one client; if its script breaks off, all cases that it did not report have failed."""
    python = environment(client)
    with servers() as addresses, TemporaryDirectory() as home:
        done = subprocess.run(
            [python, str(HERE / client.script)],
            env={**without_settings(os.environ, home), "EPF_CLIENT_SERVERS": addresses},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"client"')]
    results: Results = {row["client"]: row["results"] for row in reports}
    if done.returncode or not reports:
        results[client.name] = dict.fromkeys(NAMES, f"FAILED: the script exited with status {done.returncode}")
    if any(has_failed(outcome) for cases in results.values() for outcome in cases.values()):
        print(done.stderr, file=sys.stderr)
    return results


def environment(client: Client) -> str:
    """Return the interpreter of the client's environment, which is created if it is missing or has another requirement."""
    if client.requirement is None:
        return sys.executable
    folder = ENVIRONMENTS / client.name
    python, installed = folder / "bin" / "python", folder / "requirement"
    if not installed.exists() or installed.read_text(encoding="utf-8") != client.requirement:
        print(f"Installing {client.requirement} into {folder.relative_to(ROOT)}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        install(client.requirement, folder, str(python))
        installed.write_text(client.requirement, encoding="utf-8")
    return str(python)


def install(requirement: str, folder: Path, python: str) -> None:
    """Create an environment that holds ``requirement``, with uv if it is available and with pip otherwise."""
    if shutil.which("uv"):
        create = ["uv", "venv", "--quiet", "--python", sys.executable, str(folder)]
        fill = ["uv", "pip", "install", "--quiet", "--python", python, requirement]
    else:
        create = [sys.executable, "-m", "venv", str(folder)]
        fill = [python, "-m", "pip", "install", "--quiet", requirement]
    for command in (create, fill):
        subprocess.run(command, check=True, timeout=INSTALL_S)


@contextmanager
def servers() -> Iterator[str]:
    """Run a fresh process of servers; yields their addresses as JSON."""
    command = [sys.executable, "-m", "tests.clients.server"]
    with running(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        addresses = process.stdout.readline()
        if not addresses:
            raise RuntimeError("The servers did not start.")
        yield addresses


def without_settings(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Return an environment without the caller's proxies, keys and settings, which would redirect a client."""
    kept = {name: environ[name] for name in ("PATH", "LANG", "TZ") if name in environ}
    return {**kept, "HOME": home, "LLM_USER_PATH": home, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def has_failed(outcome: str) -> bool:
    """Whether a case failed."""
    return outcome.startswith("FAILED")


def table(results: Results) -> str:
    """Return a table of cases by clients: ok, FAILED, or the number of the reason why the client cannot express the case."""
    reasons = list(dict.fromkeys(text for cases in results.values() for text in cases.values() if text.startswith("n/a: ")))
    letters = "abcdefghijklmnopqrstuvwxyz"[: len(results)]
    lines = [f"{letter}  {client}" for letter, client in zip(letters, results, strict=True)]
    lines.append(" " * 18 + "".join(letter.ljust(8) for letter in letters))
    for name in NAMES:
        outcomes = [cases[name] for cases in results.values()]
        cells = [f"({reasons.index(text) + 1})" if text in reasons else text.split(":")[0] for text in outcomes]
        lines.append(name.ljust(18) + "".join(cell.ljust(8) for cell in cells))
    return "\n".join([*lines, *(f"({i}) {reason.removeprefix('n/a: ')}" for i, reason in enumerate(reasons, 1))])


if __name__ == "__main__":
    sys.exit(main())
