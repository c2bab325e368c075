"""Plain text with which a chat template begins a turn, such as ``### Response:``.

Such a text is no token of its own, so the model reads it as a turn wherever it is. A message that contains it is refused.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

MIN_CHARS: Final = 3
"""Shorter texts, such as ``Q:``, are in many honest messages."""

_BREAKS: Final = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_LINE_BEGINS: Final = rf"(?:\A|[{_BREAKS}])[^\S{_BREAKS}]*"
"""It takes the last of several blank lines alone, so that a text of line breaks is searched in one pass."""


class PlainMarks:
    """The plain marks of one template.

    Args:
        between: what the template writes between two messages, and around a system message.
        reserved: tokens that no message can contain. What is written with one of them cannot be forged.
    """

    def __init__(self, between: Iterable[str], reserved: Collection[str]) -> None:
        unguarded = [text for text in between if text.strip() and not any(name in text for name in reserved)]
        self.names = sorted({text.strip() for text in unguarded})
        """The marks, without blank space around them."""
        self._patterns = [(text.strip(), _pattern(text)) for text in unguarded if _is_rare(text.strip())]

    @property
    def forgeable(self) -> list[str]:
        """Marks that are too common to be refused."""
        return [name for name in self.names if not _is_rare(name)]

    def first_in(self, content: str) -> str | None:
        """The mark that a message contains; None if it contains none."""
        return next((mark for mark, pattern in self._patterns if pattern.search(content)), None)


def _is_rare(mark: str) -> bool:
    return len(mark) >= MIN_CHARS and any(map(str.isalpha, mark))


def _pattern(text: str) -> re.Pattern[str]:
    """Finds a mark in a message; one that the template begins a line with counts only there."""
    before = text[: len(text) - len(text.lstrip())]
    return re.compile((_LINE_BEGINS if "\n" in before else "") + re.escape(text.strip()))
