"""``epf`` as a process of its own."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import running

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120.0
EPF = (
    sys.executable,
    "-c",
    # The default action, also where the tests run in the background of a shell, which makes their children ignore SIGINT.
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from epf.cli.main import main; sys.exit(main())",
)
SCRIPTED_EPF = (sys.executable, "-m", "tests.cli.scripted_epf")


def ended(*command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """The process of a command, once it has ended by itself."""
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)


def without(*modules: str) -> tuple[str, ...]:
    """``epf`` where these libraries are not installed."""
    missing = f"sys.modules.update(dict.fromkeys({modules!r}))"
    return (sys.executable, "-c", f"import sys; {missing}; from epf.cli.main import main; sys.exit(main())")


@contextmanager
def started(*command: str, cwd: Path = ROOT) -> Iterator["subprocess.Popen[str]"]:
    """A running process, which is killed at the end if it still runs, and after a time in any case."""
    with running(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        limit = threading.Timer(TIMEOUT_S, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line that a process writes to its standard error."""
    assert process.stderr is not None
    return process.stderr.readline()
