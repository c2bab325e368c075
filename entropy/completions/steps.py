"""The steps of a text, and the tokens of each."""

import re
from collections.abc import Sequence

import numpy as np

from epf.entropy.completions.token import Token

_BLANK = re.compile(r"\n[^\S\n]*(?:\n\s*)?\n|\n\n")
"""What separates steps: at least one blank line."""

_AHEAD = 8
"""Number of bytes that tokens may leave out of the text, such as a character that a server replaced."""


def steps_of(text: str, tokens: Sequence[Token], skipped: int = 0) -> tuple[list[str], list[list[Token]]]:
    """Texts of the steps, none of them blank, and the tokens of each.

    A token belongs to the step in which it begins, and one between two steps to the first of them. Tokens that are not in the
    text, such as the end of a turn, stay where they occur. A text without any words is one step if it has tokens, and so is a
    text whose tokens are all known by their ids only. The tokens are those of the text after its first ``skipped`` bytes.
    """
    if tokens and not any(token.raw for token in tokens):
        return [text], [list(tokens)]
    starts, steps, at = [], [], 0
    for gap in [*_BLANK.finditer(text), None]:
        part = text[at : gap.start()] if gap else text[at:]
        if part.strip():
            steps.append(part.strip("\n"))
            starts.append(len(text[:at].encode("utf-8", "surrogatepass")))
        at = gap.end() if gap else len(text)
    if not steps:
        return ([text], [list(tokens)]) if tokens else ([], [])
    owners = np.maximum(np.searchsorted(starts, beginnings(text, tokens, skipped), side="right") - 1, 0)
    return steps, [[token for token, owner in zip(tokens, owners, strict=True) if owner == i] for i in range(len(steps))]


def beginnings(text: str, tokens: Sequence[Token], skipped: int = 0) -> list[int]:
    """Byte of the text at which each token begins; for a token that is not in the text, the end of the one before it.

    The first token is not before byte ``skipped``.
    """
    written, at, found = text.encode("utf-8", "surrogatepass"), skipped, []
    for token in tokens:
        where = written.find(token.raw, at, at + len(token.raw) + _AHEAD) if token.raw else -1
        found.append(at if where < 0 else where)
        at = at if where < 0 else where + len(token.raw)
    return found
