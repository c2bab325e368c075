"""LaTeX that models write as MathML, which browsers show without a library."""

from collections.abc import Iterable
from xml.etree import ElementTree

from latex2mathml.converter import convert

MAX_CHARS = 500
"""Maximum length of a formula in characters. It is rendered within some 10 ms."""


def mathml_of(latex: str) -> str | None:
    """The formula as a ``math`` element, well-formed XML; None if it is too long or is not LaTeX that can be rendered."""
    if len(latex) > MAX_CHARS:
        return None
    try:
        made = str(convert(latex))
        ElementTree.fromstring(made)
    except Exception:  # the library raises whatever a malformed formula leads to, RecursionError included
        return None
    return made


def all_of(formulas: Iterable[str]) -> list[str | None]:
    """Each of the formulas, in order."""
    return [mathml_of(latex) for latex in formulas]
