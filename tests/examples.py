"""The commands and the outputs that a Markdown page shows."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
README = "README.md"
PAGES = [README, "docs/try-it.md", "docs/http.md", "docs/reference.md", "docs/deploying.md"]

RIGHT = {
    "There are 45 birds on a wire. 17 fly away. How many are left?": "28",
    "Tom has 12 apples. He buys 7 more apples. He eats 4 apples. How many apples does he have left?": "15",
    "Tom has 12 apples. He buys 7 more apples. How many apples does he have?": "19",
}
"""The right answer of every problem that the pages solve."""

_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```", flags=re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A command, and the output that the page shows after it, with its language; None where it shows none."""

    page: str
    command: str
    shown: str | None
    language: str | None


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Bodies of the page's fenced blocks in one language."""
    return [fence["body"] for fence in _FENCE.finditer(text_of(page)) if fence["language"] == language]


def examples(page: str, start: str) -> list[Example]:
    """The page's shell commands that begin with ``start``; the output shown after a block is that of its last command."""
    found: list[Example] = []
    fences = list(_FENCE.finditer(text_of(page)))
    for position, fence in enumerate(fences):
        if fence["language"] != "sh":
            continue
        after = fences[position + 1] if position + 1 < len(fences) else None
        shown = after if after and after["language"] in ("text", "json") else None
        lines = [line for line in fence["body"].replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
        for line in lines:
            output = shown if line == lines[-1] else None
            example = Example(page, line, output and output["body"], output and output["language"])
            if line.startswith(start):
                found.append(example)
    return found


def assert_same_text(shown: str, printed: str) -> None:
    """The page's lines are the last ones printed, but for times, a drawn seed and the number of tokens.

    How many tokens a search samples ahead and discards depends on the time that scores take.
    """

    def lines(text: str) -> list[str]:
        masked = re.sub(r"\d+ tokens in \d+\.\d s, seed \d+", "# tokens in # s, seed #", text.strip())
        return [line.rstrip() for line in masked.splitlines()]

    expected = lines(shown)
    assert lines(printed)[-len(expected) :] == expected


def assert_same_lines(shown: str, printed: str) -> None:
    """Every line of the page was printed, whatever the order; three dots stand for any text."""
    lines = printed.splitlines()
    for line in shown.splitlines():
        pattern = re.escape(line).replace(re.escape("..."), ".*")
        assert any(re.fullmatch(pattern, each) for each in lines), line


def assert_same_json(shown: str, printed: str) -> None:
    """The same fields with the same values, to four digits, but for what is measured and for ids."""
    assert _stable(json.loads(printed)) == _stable(json.loads(shown))


def _stable(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _stable(each, name if name == "prm_tokens_of" else key) for key, each in value.items()}
    if isinstance(value, list):
        return [_stable(each, name) for each in value]
    if name in ("id", "prm_tokens", "prm_tokens_of", "generated_tokens", "discarded_tokens") or name.endswith("_s"):
        return type(value).__name__
    return round(value, 4) if isinstance(value, float) else value
