"""Runs the commands of docs/entropy.md in order, which draws its pictures: ``python -m benchmarks.entropy [TOOL ...]``.

With names of tools only their sections are run. A command whose input is not there is left out: the public data sets are not
part of this repository. So is one that needs torch, where that is not installed.
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

DOCUMENT = Path(__file__).parents[2] / "docs" / "entropy.md"
LIBRARIES = {"trace": ("torch", "transformers"), "benchmarks.entropy.two_moons": ("torch", "torchcfm")}
"""What the checks of this repository do without, by the word of a command that needs it."""


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Heading of the section and words of every ``epf`` and ``python -m`` line in a block of shell commands."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        for block in re.findall(r"^```sh\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith(("epf entropy ", "epf trace ", "python -m benchmarks.entropy")):
                    yield section.splitlines()[0], shlex.split(line, comments=True)


def run(words: list[str]) -> int:
    """Run one command and return its exit code."""
    print(f"\n$ {shlex.join(words)}", flush=True)
    lacking = [name for word in words for name in LIBRARIES.get(word, ()) if find_spec(name) is None]
    if lacking:
        print(f"left out: {' and '.join(lacking)} are not installed")
        return 0
    if words[0] == "python":
        return subprocess.run([sys.executable, *words[1:]]).returncode
    file = words[3] if len(words) > 3 else None
    if file is not None and not Path(file).exists():
        print(f"left out: {file} is not there")
        return 0
    return epf(words[1:])


def main() -> None:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", nargs="*", help="only the sections of these tools, and the data that all read")
    args = parser.parse_args()
    wanted = {*args.tools, "Data"}
    chosen = [words for title, words in commands(DOCUMENT.read_text(encoding="utf-8")) if not args.tools or title in wanted]
    sys.exit(max(map(run, chosen), default=0))


if __name__ == "__main__":
    main()
