"""Counts phrases that plain English avoids, in everything that a person reads: ``python -m tests.plain_english [ROOT]``.

In Python files it reads names, comments, docstrings and other strings, in Markdown, YAML and the Makefile the whole text.
It skips data: the wording of synthetic problems, which feeds random seeds, and the recorded results of benchmarks.
"""

import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

PHRASES = {
    "so many / so long": re.compile(r"\bso (?:many|long)\b(?! as\b)", re.IGNORECASE),
    "is none / are none": re.compile(r"\b(?:is|are) none\b"),
    "beside": re.compile(r"\bbeside\b", re.IGNORECASE),
    "told / tells": re.compile(r"\b(?:told|tells)\b", re.IGNORECASE),
    'begins with "Of"': re.compile(r"\A\W*Of\b|\|\s*Of\b"),
}
READ = {".py", ".md", ".yml", ".yaml", ".toml", ".html", ".jinja"}
DATA = re.compile(
    r"(generators/training|reward_models/training|problem_sets/synthetic)/(problems|puzzles|words|wordings)\.py$"
    r"|^problem_sets/data/|^evaluation/data/|^benchmarks/results/|^tests/data/|/golden/|^tests/plain_english\.py$"
)

# Fields of the HTTP API keep their names.
FIELDS = {"tells"}
# From Python 3.12 on, the text of an f-string is a token of its own.
TEXT = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


class Find(NamedTuple):
    path: str
    line: int
    phrase: str
    text: str


def pieces(path: Path) -> Iterator[tuple[int, str]]:
    """Yields each piece of a file that a person reads, with its line number."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), start=1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string not in FIELDS:
            yield token.start[0], token.string.replace("_", " ")
        elif token.type in TEXT:
            yield token.start[0], token.string.lstrip("rbufRBUF")


def finds(root: Path = ROOT) -> Iterator[Find]:
    """Yields every occurrence of a phrase in the files under version control."""
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout
    for name in listed.splitlines():
        path = root / name
        if (path.suffix not in READ and path.name != "Makefile") or DATA.search(name) or not path.is_file():
            continue
        for line, text in pieces(path):
            for phrase, pattern in PHRASES.items():
                for match in pattern.finditer(text):
                    at = line + text.count("\n", 0, match.start())
                    around = text[max(0, match.start() - 40) : match.end() + 40]
                    yield Find(name, at, phrase, " ".join(around.split()))


def main(root: Path = ROOT) -> int:
    """Prints every occurrence and a table of the counts per phrase and top-level folder."""
    found = list(finds(root))
    for find in found:
        print(f"{find.path}:{find.line}: {find.phrase}: {find.text}")
    by_phrase = Counter(find.phrase for find in found)
    by_room = Counter(find.path.split("/")[0] for find in found)
    print()
    for title, counts in (
        ("phrase", {phrase: by_phrase[phrase] for phrase in PHRASES}),
        ("where", dict(by_room.most_common())),
    ):
        print(f"{title:24} count")
        for name, count in counts.items():
            print(f"{name:24} {count:5}")
        print()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
