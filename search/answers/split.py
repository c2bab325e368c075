r"""Cuts an answer at the signs that stand outside its brackets: list separators, relations, operators of sets."""

import re
from typing import NamedTuple

from epf.search.answers.text import unwrapped

_AND = re.compile(r"(?:,\s*)?(?:(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])|\\text\s*\{\s*,?\s*(?:and|or)\s*,?\s*\}| & )\s*")
_RELATION = re.compile(
    r"\\(?P<command>approx|equiv|le|ge|ne|in)(?![A-Za-z])|(?P<sign><=|>=|!=|==|<|>|=(?!=))|(?P<negated>\\not)|(?P<almost>~=)"
)
_SIGNS = {"<=": r"\le", ">=": r"\ge", "!=": r"\ne", "==": "="}
_INEQUALITIES = frozenset({"<", ">", r"\le", r"\ge", r"\ne"})
_OPEN = {"(": 1, "[": 1, "{": 1}
_CLOSE = {")": 1, "]": 1, "}": 1}
_STARTS = (r"\{", r"\langle", "(", "[", "{")
_ENDS = (r"\}", r"\rangle", ")", "]", "}")
_CURLY_OR_ANGLE = frozenset({(r"\{", r"\}"), (r"\langle", r"\rangle"), ("{", "}")})
_GROUPED = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?!\d|,\S)")


class Chain(NamedTuple):
    r"""Sides with the relations between them: ``0 < x \le 1`` has three sides. A missing side is an empty text."""

    sides: tuple[str, ...]
    relations: tuple[str, ...]

    @property
    def is_inequality(self) -> bool:
        """Whether it has relations, all of them inequalities, and no side is missing."""
        return bool(self.relations) and set(self.relations) <= _INEQUALITIES and all(self.sides)


def depths(text: str) -> list[int]:
    r"""Return the number of open brackets at each character. A half-open interval closes what it opened: ``[0, 1)``."""
    found: list[int] = []
    depth = 0
    for at, character in enumerate(text):
        if character in _OPEN:
            depth += 1
            found.append(depth)
        elif character in _CLOSE:
            found.append(depth)
            depth = max(0, depth - 1)
        else:
            found.append(depth)
        if text.startswith((r"\langle", r"\begin"), at):
            depth += 1
            found[-1] = depth
        elif text.startswith((r"\rangle", r"\end"), at):
            depth = max(0, depth - 1)
            found[-1] = depth + 1
    return found


def elements(text: str, separators: str, *, grouping: bool = True) -> list[str]:
    r"""Return the parts of a list between separators, "and" and "or".

    Args:
        text: tidy text.
        separators: characters that separate.
        grouping: whether ``1,234`` is one number.
    """
    depth = depths(text)
    grouped = {at for m in _GROUPED.finditer(text) for at in range(*m.span())} if grouping else set()
    cuts = [(at, at + 1) for at, c in enumerate(text) if c in separators and depth[at] == 0 and at not in grouped]
    cuts += [match.span() for match in _AND.finditer(text) if depth[match.start()] == 0 and depth[match.end() - 1] <= 1]
    parts: list[str] = []
    start = 0
    for begin, end in sorted(cuts, key=lambda cut: (cut[0], -cut[1])):
        if begin >= start:
            parts.append(text[start:begin].strip())
            start = end
    parts.append(text[start:].strip())
    return [unwrapped(part) for part in parts if part]


def chain(text: str) -> Chain:
    """Return the sides and relations of a text without separators. ``not`` before a relation makes it unreadable text."""
    depth = depths(text)
    sides: list[str] = []
    relations: list[str] = []
    start = 0
    for match in _RELATION.finditer(text):
        if depth[match.start()]:
            continue
        relations.append(f"\\{match['command']}" if match["command"] else _SIGNS.get(match[0], match[0]))
        sides.append(text[start : match.start()].strip())
        start = match.end()
    return Chain((*sides, text[start:].strip()), tuple(relations))


def at_top(text: str, separator: str) -> list[str]:
    """Return the parts of a text between occurrences of a separator outside brackets."""
    depth = depths(text)
    parts: list[str] = []
    start = 0
    for match in re.finditer(re.escape(separator) + ("(?![A-Za-z])" if separator[0] == "\\" else ""), text):
        if depth[match.start()] == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


def bracketed(text: str) -> tuple[str, str] | None:
    """Return the two brackets that are around the whole of a text, or None."""
    start = next((b for b in _STARTS if text.startswith(b)), None)
    end = next((b for b in _ENDS if text.endswith(b)), None)
    if start is None or end is None or len(text) < len(start) + len(end):
        return None
    fits = (start, end) in _CURLY_OR_ANGLE or (start in "([" and end in ")]")
    return (start, end) if fits and all(depths(text)[len(start) : -len(end)]) else None
