"""Try the service with the clients that people use, each in an environment of its own: ``python -m tests.clients.run``.

Each client meets a server process of its own over a real socket. The environments are kept in ``.venv-clients`` until what
they hold changes here or ``make clean`` removes them. Ends with a table, and with status 1 if a case failed.
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

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".venv-clients"
AT_A_TIME = 2
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Client:
    """A script here and what it needs from the package index; without, any interpreter will do."""

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
"""The one that takes longest to install comes first."""

Results = dict[str, dict[str, str]]
"""Of each client, by case."""


def main() -> int:
    """Run all clients, two at a time, and print the table."""
    start = time.monotonic()
    results: Results = {}
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for found in pool.map(tried, CLIENTS):
            results.update(found)
    print(table(results))
    failed = [f"{client}, {case}: {told}" for client, cases in results.items() for case, told in cases.items() if bad(told)]
    print("\n".join(failed) or f"All clients work ({time.monotonic() - start:.0f} s).")
    return 1 if failed else 0


def tried(client: Client) -> Results:
    """What came of each case of one client; a script that breaks off has failed all that it did not tell."""
    python = environment(client)
    with servers() as addresses, TemporaryDirectory() as home:
        done = subprocess.run(
            [python, str(HERE / client.script)],
            env={**clean(os.environ, home), "EPF_CLIENT_SERVERS": addresses},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"client"')]
    results: Results = {row["client"]: row["results"] for row in told}
    if done.returncode or not told:
        results[client.name] = dict.fromkeys(NAMES, f"FAILED: the script ended with status {done.returncode}")
    if any(bad(outcome) for cases in results.values() for outcome in cases.values()):
        print(done.stderr, file=sys.stderr)
    return results


def environment(client: Client) -> str:
    """The interpreter of the client's environment, which is made if it is not there or holds something else."""
    if client.requirement is None:
        return sys.executable
    folder = ENVIRONMENTS / client.name
    python, holds = folder / "bin" / "python", folder / "requirement"
    if not holds.exists() or holds.read_text(encoding="utf-8") != client.requirement:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", client.requirement], check=True)
        holds.write_text(client.requirement, encoding="utf-8")
    return str(python)


@contextmanager
def servers() -> Iterator[str]:
    """Addresses of a fresh process of servers, as JSON."""
    command = [sys.executable, "-m", "tests.clients.server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.stdin.close()


def clean(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Without what would lead a client elsewhere: proxies, keys and settings of whoever runs this."""
    kept = {name: environ[name] for name in ("PATH", "LANG", "TZ") if name in environ}
    return {**kept, "HOME": home, "LLM_USER_PATH": home, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def bad(outcome: str) -> bool:
    """Whether a case failed."""
    return outcome.startswith("FAILED")


def table(results: Results) -> str:
    """Cases by clients: ok, FAILED, or a number that says below why the client cannot express the case."""
    reasons = list(dict.fromkeys(told for cases in results.values() for told in cases.values() if told.startswith("n/a: ")))
    letters = "abcdefghijklmnopqrstuvwxyz"[: len(results)]
    lines = [f"{letter}  {client}" for letter, client in zip(letters, results, strict=True)]
    lines.append(" " * 18 + "".join(letter.ljust(8) for letter in letters))
    for name in NAMES:
        told = [cases[name] for cases in results.values()]
        cells = [f"({reasons.index(text) + 1})" if text in reasons else text.split(":")[0] for text in told]
        lines.append(name.ljust(18) + "".join(cell.ljust(8) for cell in cells))
    return "\n".join([*lines, *(f"({i}) {reason.removeprefix('n/a: ')}" for i, reason in enumerate(reasons, 1))])


if __name__ == "__main__":
    sys.exit(main())
