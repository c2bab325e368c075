"""LaTeX that models write as MathML, which browsers show without a library."""

import re
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree

from latex2mathml.converter import convert

MAX_CHARS = 500
"""Maximum length of a formula in characters. It is rendered within some 10 ms."""

MATHML: Final = "http://www.w3.org/1998/Math/MathML"

_ELEMENTS: Final = (
    "math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot munder mover munderover mtable mtr mtd mstyle "
    "menclose mpadded mphantom mmultiscripts mprescripts none semantics"
)
_ATTRIBUTES: Final = (
    "display displaystyle scriptlevel stretchy fence form mathvariant linethickness width height depth lspace voffset "
    "columnalign rowspacing columnspacing columnlines rowlines accent notation minsize maxsize separator movablelimits"
)
ELEMENTS: Final = frozenset(_ELEMENTS.split())
ATTRIBUTES: Final = frozenset(_ATTRIBUTES.split())
"""What formulas need. Links, styles and elements of HTML, which models can write as well, have no place on a page."""

_WORD: Final = re.compile(r"[A-Za-z-]{1,32}|[+-]?\d{0,2}(?:\.\d{0,4})?(?:[a-z]{2}|%)?")
"""A name, or a length below 100 of its units."""


def mathml_of(latex: str) -> str | None:
    """The formula as a ``math`` element, well-formed XML; None if it is too long or is not LaTeX that can be rendered.

    It runs nothing and loads nothing, so that a page can show it as it is.
    """
    if len(latex) > MAX_CHARS:
        return None
    try:
        root = ElementTree.fromstring(str(convert(latex)))
        for element in root.iter():
            _make_plain(element)
        root.set("xmlns", MATHML)
        return ElementTree.tostring(root, encoding="unicode")
    except Exception:  # the library raises whatever a malformed formula leads to, RecursionError included
        return None


def _make_plain(element: ElementTree.Element) -> None:
    """Leave out the namespace and all attributes that no formula needs.

    Raises:
        ValueError: it is an element that no formula needs.
    """
    name = element.tag.removeprefix(f"{{{MATHML}}}")
    if name not in ELEMENTS:
        raise ValueError(name)
    element.tag = name
    kept = {key: value for key, value in element.items() if key in ATTRIBUTES and all(map(_WORD.fullmatch, value.split()))}
    element.attrib.clear()
    element.attrib.update(kept)


def all_of(formulas: Iterable[str]) -> list[str | None]:
    """Each of the formulas, in order."""
    return [mathml_of(latex) for latex in formulas]
