r"""Finds the answer in a solution text: its last ``\boxed{}``, or the last line ``#### n`` of solutions of GSM8K.

A regular expression such as ``\\boxed\{([^}]+)\}`` cuts ``\boxed{\frac{1}{2}}`` at the first closing brace; here braces are
matched as TeX matches them (``\{`` and ``\}`` are characters, not braces), in one pass over the text.
"""

import re
from itertools import pairwise
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<box> \\\\?(?:boxed|fbox)\s*\{ )                                           # also the doubled backslash of escaped text
  | \\\\?boxed\s+(?P<bare> [-+]?\d+(?:[.,/]\d+)* (?=[.,;]?(?:\s|\$|\\|\Z)) )      # \boxed 42, where it is clear what is meant
  | (?P<macro> \\. )
  | (?P<open> \{ )
  | (?P<close> \} )
  | (?P<content> [^\\{}\s] )
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACES = r"(?:\s|[$~]|\\q?quad(?![A-Za-z])|\\[,;:!()\[\]\ ])*"
_JOINED = re.compile(
    rf"""
    {_SPACES}
    (?:[A-Za-z]+{_SPACES})??                                                    # a unit: \boxed{{3}} boys and \boxed{{4}} girls
    (?: ,\s*(?:and|or)\b | \b(?:and|or)\b | [,;] | \\(?:text|textrm|mathrm|mbox)\{{\s*,?\s*(?:and|or)\s*\}} )
    {_SPACES}
    """,
    re.VERBOSE,
)
_HASHED = re.compile(r"\#{4}[ \t]*(?P<number>[-+]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?)[ \t]*\.?")


class _Box(NamedTuple):
    """A box that is not empty: its start, content and end."""

    start: int
    content: str
    end: int


def final_answer(text: str) -> str | None:
    r"""The answer that :func:`boxed_answer` finds, or else the one that :func:`hashed_answer` finds, or None."""
    boxed = boxed_answer(text)
    return hashed_answer(text) if boxed is None else boxed


def hashed_answer(text: str) -> str | None:
    """The number in a last line ``#### 1,234``; None for any other line, such as a Markdown heading. Never raises."""
    match = _HASHED.fullmatch(text.rstrip().rpartition("\n")[2].strip())
    return None if match is None else match["number"]


def boxed_answer(text: str) -> str | None:
    r"""Content of the last box in ``text`` that is closed and not empty, stripped; None without such a box.

    ``\boxed{...}`` and ``\fbox{...}`` count, and ``\boxed 42`` with a plain number. The inner one of nested boxes counts. A box
    that holds only spaces, braces and boxes is empty, so a text that merely mentions ``\boxed{}`` has no answer. Boxes with
    only a comma, "and" or "or" between them, such as ``\boxed{1} and \boxed{-2}``, are one answer: ``1, -2``, each content
    once. Never raises; linear in ``len(text)``.
    """
    if "box" not in text:  # nearly every step, which then need not be read token by token
        return None
    boxes = _boxes(text)
    if not boxes:
        return None
    contents = [boxes[-1].content]
    for following, box in pairwise(reversed(boxes)):
        if not _JOINED.fullmatch(text, box.end, following.start):
            break
        contents.append(box.content)
    return ", ".join(dict.fromkeys(reversed(contents)))


def _boxes(text: str) -> list[_Box]:
    """All closed boxes with content, in order; only the inner one of nested boxes."""
    boxes: list[_Box] = []
    open_braces: list[tuple[bool, int, int, int]] = []
    n_content = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in ("box", "open"):
            open_braces.append((kind == "box", *token.span(), n_content))
        elif kind == "bare":
            n_content += 1
            boxes.append(_Box(token.start(), token["bare"], token.end()))
        elif kind == "close":
            if open_braces:
                is_box, start, begin, n_before = open_braces.pop()
                is_outer = bool(boxes) and boxes[-1].start > start
                if is_box and n_content > n_before and not is_outer:
                    boxes.append(_Box(start, text[begin : token.start()].strip(), token.end()))
        else:
            n_content += 1
    return boxes
