r"""Boxes in a text: ``\boxed{...}``, ``\fbox{...}`` and ``\framebox{...}``, closed or not, and ``\boxed5`` without braces.

A regular expression such as ``\\boxed\{([^}]+)\}`` cuts ``\boxed{\frac{1}{2}}`` at the first closing brace; here braces are
matched as TeX matches them (``\{`` and ``\}`` are characters, not braces), in one pass over the text.
"""

import re
from itertools import pairwise
from typing import NamedTuple

_NUMBER = r"(?:\\?\$)?[-+]?\d+(?:[.,/]\d+)*"
_ARGUMENT = r"\s*(?:\d|\{[^{}]*\})"
_TOKEN = re.compile(
    rf"""
    (?P<box> \\\\?(?:boxed|fbox|framebox)\s*\{{ )                       # also the doubled backslash of escaped text
  | \\\\?boxed\s*(?P<number> {_NUMBER} (?:\\?%)? ) (?=(?P<after> [.,;]?(?:\s|\$|\\(?=[^%])|\Z) ))   # if it is clear
  | \\\\?boxed\s*(?P<macro_value>
        \\[dt]?frac(?P<top>{_ARGUMENT})(?P<bottom>{_ARGUMENT}) | \\sqrt(?P<root>{_ARGUMENT})
      | \\(?:pi|infty|emptyset|varnothing)\b | \([^()\n]{{1,100}}\) )
  | (?P<macro> \\. )
  | (?P<open> \{{ )
  | (?P<close> \}} )
  | (?P<content> [^\\{{}}\s] )
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACES = r"(?:\s|[$~*]|\\q?quad(?![A-Za-z])|\\[,;:!()\[\]\ ])*"
_JOINED = re.compile(
    rf"""
    {_SPACES}
    (?:[A-Za-z]+{_SPACES})??                                                    # a unit: \boxed{{3}} boys and \boxed{{4}} girls
    (?: (?:,\s*)?\b(?:and/or|and|or|as\ well\ as)\b(?:\ (?:also|else)\b)?
      | [,;] | \\?& | \\(?:lor|land|vee|wedge)\b
      | \\(?:text|textrm|mathrm|mbox)\{{\s*,?\s*(?:and|or)\s*\}} )
    {_SPACES}
    (?:(?:[A-Za-z]|\\[a-z]{{2,9}})(?:_(?:\w|\{{\w+\}})|\(\w\))?\s*={_SPACES})?      # x = \boxed{{3}} or x = \boxed{{-3}}
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Box(NamedTuple):
    """A box that is not empty: its start, content and end; ``is_settled`` unless a continuation of the text could change it."""

    start: int
    content: str
    end: int
    is_settled: bool


class Boxes(NamedTuple):
    """Closed boxes in order, and a box after them that is never closed, whose content is all that follows; None without one."""

    closed: list[Box]
    unclosed: Box | None


def find_boxes(text: str) -> Boxes:
    """All boxes with content, in order; only the inner one of nested boxes. Linear in ``len(text)``; never raises."""
    boxes: list[Box] = []
    if not any(
        name in text for name in ("\\boxed", "\\fbox", "\\framebox")
    ):  # nearly every step, which then need not be read token by token
        return Boxes(boxes, None)
    open_braces: list[tuple[bool, int, int, int]] = []
    n_content = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in ("box", "open"):
            open_braces.append((kind == "box", *token.span(), n_content))
        elif kind in ("after", "macro_value"):
            n_content += 1
            boxes.append(_without_braces(token))
        elif kind == "close":
            if open_braces:
                is_box, start, begin, n_before = open_braces.pop()
                is_outer = bool(boxes) and boxes[-1].start > start
                if is_box and n_content > n_before and not is_outer:
                    boxes.append(Box(start, text[begin : token.start()].strip(), token.end(), True))
        else:
            n_content += 1
    start, begin = max(((start, begin) for is_box, start, begin, _ in open_braces if is_box), default=(-1, -1))
    is_last = start >= 0 and not (boxes and boxes[-1].start > start)
    return Boxes(boxes, Box(start, text[begin:], len(text), False) if is_last else None)


def joined(text: str, boxes: list[Box]) -> list[str]:
    """Contents of the last box and of those before it that only a comma, "and" or "or" separates, each content once."""
    contents = [boxes[-1].content]
    for following, box in pairwise(reversed(boxes)):
        if not _JOINED.fullmatch(text, box.end, following.start):
            break
        contents.append(box.content)
    return list(dict.fromkeys(reversed(contents)))


def _without_braces(token: re.Match[str]) -> Box:
    if token["number"] is not None:
        content = token["number"].removeprefix("\\").removeprefix("$")
        return Box(token.start(), content, token.end(), bool(token["after"].lstrip(".,;")))
    content = token["macro_value"]
    arguments = [argument.strip().strip("{}") for argument in token.group("top", "bottom", "root") if argument]
    if arguments:
        name = content[: content.index("frac") + 4] if token["top"] else "\\sqrt"
        content = name + "".join(f"{{{argument}}}" for argument in arguments)
    return Box(token.start(), content, token.end(), token.end() < len(token.string))
