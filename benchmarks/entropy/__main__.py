"""Runs the commands of docs/entropy/ in order and draws its pictures: ``python -m benchmarks.entropy [TOOL ...]``.

With names of tools, only the data and the pages of these tools are run. A command is skipped if its input is missing, because
the public data sets are not part of this repository, or if it needs torch and torch is not installed.
"""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from epf.cli.main import main as epf

DOCS = Path(__file__).parents[2] / "docs" / "entropy"
DATA_PAGE = "index"
PAGES = (
    "ranking",
    "reconstruction",
    "tokens",
    "epiplexity",
    "maxent",
    "features",
    "attention",
    "coupling",
    "rate_distortion",
)
LIBRARIES = {"trace": ("torch", "transformers"), "benchmarks.entropy.two_moons": ("torch", "torchcfm")}
"""Libraries that the development environment does not have, by the word of a command that needs them."""


def commands(page: str) -> Iterator[list[str]]:
    """Yields the words of every ``epf`` and ``python -m`` line in the shell blocks of a page.

    Lines that read what another line of the block has written are left out.
    """
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        written = re.findall(r"> (\S+)$", block, flags=re.MULTILINE)
        for line in block.replace("\\\n", " ").splitlines():
            if not any(file in line for file in written) and line.startswith(
                ("epf entropy ", "epf trace ", "python -m benchmarks.entropy")
            ):
                yield shlex.split(line, comments=True)


def run(words: list[str]) -> int:
    """Runs one command and returns its exit code."""
    print(f"\n$ {shlex.join(words)}", flush=True)
    missing = [name for word in words for name in LIBRARIES.get(word, ()) if find_spec(name) is None]
    if missing:
        print(f"skipped: {' and '.join(missing)} are not installed")
        return 0
    if words[0] == "python":
        return subprocess.run([sys.executable, *words[1:]]).returncode
    file = words[3] if len(words) > 3 else None
    if file is not None and not Path(file).exists():
        print(f"skipped: {file} does not exist")
        return 0
    return epf(words[1:])


def main() -> None:
    """Runs all commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", nargs="*", help="run only the data and the pages of these tools")
    args = parser.parse_args()
    pages = [tool.replace("-", "_") for tool in args.tools] or list(PAGES)
    sys.exit(max((run(words) for page in (DATA_PAGE, *pages) for words in commands(page)), default=0))


if __name__ == "__main__":
    main()
