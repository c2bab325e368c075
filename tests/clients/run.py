"""Try the service with widely used clients, each in its own environment: ``python -m tests.clients.run [--record] [NAME...]``.

Each script calls its own server process over a real socket. The environments are kept in ``.venv-clients`` until a requirement
changes or ``make clean`` removes them. Prints a table at the end, and exits with status 1 if a case failed or a client could
not be installed. ``--record`` writes the results that the documentation shows.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import TemporaryDirectory

from tests.clients import cases, environments, matrix
from tests.clients.environments import ENVIRONMENTS, HERE, ROOT, Deadline, NotInstalled
from tests.clients.matrix import FAILED, Results
from tests.processes import running

N_PARALLEL = 2
CLIENT_S = 600
TOTAL_S = 1800


@dataclass(frozen=True, slots=True)
class Client:
    """Scripts in this folder and the packages that they need; without requirements, any interpreter runs them."""

    name: str
    scripts: tuple[str, ...]
    requirements: tuple[str, ...] = ()

    @property
    def runs_on_node(self) -> bool:
        """Whether its scripts are JavaScript."""
        return self.scripts[0].endswith(".mjs")


CLIENTS = (
    Client("lm-eval", ("lm_eval_client.py",), ("lm-eval[api]==0.4.13",)),
    Client("inspect-ai", ("inspect_client.py",), ("inspect-ai==0.3.285", "openai==3.57.0")),
    Client("node", ("openai_client.mjs", "ai_client.mjs", "langchain_client.mjs")),
    Client("litellm", ("litellm_client.py",), ("litellm==1.110.2",)),
    Client("langchain", ("langchain_client.py",), ("langchain-openai==1.7.4",)),
    Client("openai-2", ("openai_client.py", "responses_client.py"), ("openai==2.54.0",)),
    Client("openai-3", ("openai_client.py", "responses_client.py"), ("openai==3.57.0",)),
    Client("pydantic-ai", ("pydantic_ai_client.py",), ("pydantic-ai-slim[openai]==2.68.0",)),
    Client("llm", ("llm_client.py",), ("llm==0.36",)),
    Client("open-webui", ("open_webui_client.py",)),
)
"""The clients that take longest come first."""

CONSTANTS = json.dumps(
    {
        "key": cases.KEY,
        "model": cases.MODEL,
        "problem": cases.PROBLEM,
        "tooLong": cases.TOO_LONG,
        "retryAfter": cases.RETRY_AFTER_S,
        "names": cases.NAMES,
    }
)
"""What scripts need that cannot import :mod:`tests.clients.cases`."""


def main(arguments: Sequence[str]) -> int:
    """Run all clients, or those that are named, two at a time, and print the table."""
    names = [argument for argument in arguments if argument != "--record"]
    clients = [client for client in CLIENTS if not names or client.name in names]
    started_s, deadline = time.monotonic(), Deadline(TOTAL_S)
    results: Results = {}
    with ThreadPoolExecutor(N_PARALLEL) as pool:
        for found in pool.map(lambda client: run_client(client, deadline), clients):
            results.update(found)
    print(matrix.plain(results))
    failures = matrix.failures(results)
    print("\n".join(failures) or f"All clients work ({time.monotonic() - started_s:.0f} s).")
    if "--record" in arguments and not failures and not names:
        matrix.record(results, f"{datetime.now(UTC):%d %B %Y}".lstrip("0"))
    return 1 if failures else 0


def run_client(client: Client, deadline: Deadline) -> Results:
    """Return the outcome of each case of one client; if a script breaks off, all cases that it did not report have failed."""
    try:
        command = (
            environments.node(deadline)
            if client.runs_on_node
            else environments.python(client.requirements, client.name, deadline)
        )
    except NotInstalled as error:
        return {client.name: dict(matrix.everything(f"{FAILED}: it was not tried, because it could not be installed: {error}"))}
    started_s = time.monotonic()
    print(f"{client.name}: trying it", flush=True)
    results: Results = {}
    for script in client.scripts:
        results.update(run_script(client, command, script, deadline))
    print(f"{client.name}: tried in {time.monotonic() - started_s:.0f} s", flush=True)
    return results


def run_script(client: Client, command: Sequence[str], script: str, deadline: Deadline) -> Results:
    """Return the outcomes that one script reports."""
    folder = ENVIRONMENTS / "node" if client.runs_on_node else HERE
    with servers() as addresses, TemporaryDirectory() as home:
        try:
            done = subprocess.run(
                [*command, str(folder / script)],
                env={**without_settings(os.environ, home), "EPF_CLIENT_SERVERS": addresses, "EPF_CLIENT_CONSTANTS": CONSTANTS},
                cwd=home,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=deadline.within(CLIENT_S),
            )
        except subprocess.TimeoutExpired as late:
            return {client.name: dict(matrix.everything(f"{FAILED}: {script} did not end within {late.timeout:.0f} s"))}
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"client"')]
    results: Results = {row["client"]: row["results"] for row in reports}
    if done.returncode or not reports:
        results[client.name] = dict(matrix.everything(f"{FAILED}: {script} exited with status {done.returncode}"))
    if matrix.failures(results):
        print(done.stderr, file=sys.stderr)
    return results


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
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return {**kept, **offline, "HOME": home, "LLM_USER_PATH": home}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
