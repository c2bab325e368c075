r"""Reads one mathematical expression, whole or not at all.

The parser is our own, since Math-Verify's reads prefixes and worse: ``2(3)`` as 5, ``A^T`` as ``A``, ``0.1`` as a binary float.
What ours does not know, such as sums, integrals, limits and products of matrices, :func:`parsed` leaves to Math-Verify, in
parentheses, so that it cannot stop early. See docs/decisions/answers-by-key.md.

Letters are variables and multiply; ``e`` and ``i`` are the constants. Decimals are exact.
"""

import re

from math_verify import LatexExtractionConfig, parse
from sympy import Expr, MatrixBase, Symbol

from epf.search.answers.functions import LETTERS
from epf.search.answers.parser import parse_whole
from epf.search.answers.tokens import Unread

_HARD = re.compile(r"\\(?:sum|int|iint|prod|lim|frac\s*\{\s*d\s*\}|frac\s*\{\s*\\partial|begin|det)(?![A-Za-z])")


def parsed(text: str) -> Expr | MatrixBase:
    """Return the value of an expression in tidy text.

    Raises:
        Unread: the text is something else, or only its beginning is an expression.
    """
    if _HARD.search(text):
        return _by_math_verify(text)
    return parse_whole(text)


def _by_math_verify(text: str) -> Expr | MatrixBase:
    found = parse(f"$({text})$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)
    if len(found) != 1 or not isinstance(found[0], Expr | MatrixBase):
        raise Unread(text)
    if any("_" in symbol.name for symbol in found[0].free_symbols) and re.search(r"\\(?:sum|prod)", text):
        return Symbol(str(found[0]))  # the index of a variable is no number, so nothing can be summed
    value = found[0].doit()
    letters = {s: LETTERS[s.name] for s in value.free_symbols if s.name in LETTERS}
    return value.xreplace(letters)
