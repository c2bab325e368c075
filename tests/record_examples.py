"""Runs the commands of README and of the pages for users, and writes what they print into the pages: ``make docs-examples``.

Of some outputs a person chose the lines, with three dots for the rest: these are listed, and stay as they are.
"""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.examples import PAGES, RIGHT, ROOT, Example, blocks, examples, text_of
from tests.processes import running

WIDTH = 120
PORT = "8000"
TIMEOUT_S = 120
PROGRESS = re.compile(r"^step \d+  .*\n", flags=re.MULTILINE)
PRINTED = re.compile(r"^(?P<code>print\(.*\))  # .*$", flags=re.MULTILINE)


@contextmanager
def service(environment: dict[str, str]) -> Iterator[str]:
    """The port of a service with the default pair."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with running(["epf", "serve", "--port", port], env=environment, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        assert any("running on" in line for line in server.stderr), "the service did not start"
        yield port


def printed(command: str, environment: dict[str, str]) -> str:
    """What a shell command prints, without the progress of a search."""
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S
    )
    return PROGRESS.sub("", done.stdout).strip()


def output_of(example: Example, environment: dict[str, str]) -> str | None:
    """What the page is to show after a command; None if a person wrote it."""
    if example.shown is None or "..." in example.shown:
        return None
    if example.command.startswith("make solve"):
        return printed(f'epf solve "{next(iter(RIGHT))}"', environment)
    if example.command.startswith("epf solve"):
        return printed(example.command, environment)
    if example.language != "json":
        return None
    with service(environment) as port:  # a new one for each: what another command has cached is not counted
        return packed(json.loads(printed(example.command.replace(PORT, port), environment)))


def packed(value: Any, begin: str = "", indent: int = 0) -> str:
    """A value as JSON after ``begin``, in lines of at most ``WIDTH`` characters; a list of objects has one on each line."""
    if isinstance(value, list) and len(value) > 1 and isinstance(value[0], dict):
        inside = indent + len(begin) + 1
        return f"{begin}[" + f",\n{' ' * inside}".join(packed(each, indent=inside) for each in value) + "]"
    line = begin + json.dumps(_rounded(value))
    if not isinstance(value, dict) or indent + len(line) <= WIDTH:
        return line
    inside = indent + len(begin) + 1
    lines = [begin + "{"]
    for i, (name, each) in enumerate(value.items()):
        part = packed(each, f"{json.dumps(name)}: ", inside)
        column = len(lines[-1]) + (indent if len(lines) == 1 else inside)
        if i == 0:
            lines[-1] += part
        elif "\n" in part + lines[-1] or column + len(part) + 3 > WIDTH:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] += f", {part}"
    return f"\n{' ' * inside}".join(lines) + "}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


def with_comments(block: str, environment: dict[str, str]) -> str:
    """A block of Python in which the comment after each ``print`` at the left is what it prints."""
    with service(environment) as port:
        run = [sys.executable, "-c", block.replace(PORT, port)]
        done = subprocess.run(run, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S)
    lines = iter(done.stdout.splitlines())
    return PRINTED.sub(lambda found: f"{found['code']}  # {next(lines)}", block)


def recorded(page: str, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What the page shows and what it is to show, for each output in it that a command can renew."""
    for start in ("make solve", "epf solve", "curl"):
        for example in examples(page, start):
            if (output := output_of(example, environment)) is not None:
                yield f"```{example.language}\n{example.shown}```", f"```{example.language}\n{output}\n```"
            elif example.shown is not None:
                print(f"{page}: not renewed: the output of {example.command[:80]}")
    for block in blocks(page, "python"):
        if PRINTED.search(block):
            yield block, with_comments(block, environment)


def main() -> None:
    """Write all pages anew."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "EPF_DRAIN_NOTICE_S": "0"}
    for page in PAGES:
        text = text_of(page)
        for old, new in recorded(page, environment):
            text = text.replace(old, new, 1)
        (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
