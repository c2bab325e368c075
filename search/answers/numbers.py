r"""Plain numbers, compared as exact fractions, so that most answers need no computer algebra system.

What is equal there:

- Currency signs, a percent sign and units do not count: ``\$12``, ``12``, ``12 apples``, ``12\text{ cm}^2`` and ``12\%`` are
  the same number, since the question says what is counted. So ``12%`` is 12 and not 0.12, and ``12 cm`` is ``12 m``.
- Values are compared exactly: 1/2 is 0.5, and 0.33 is not 1/3. But a decimal of six or more places that rounds or cuts a
  fraction with a denominator up to 30 is read as that fraction, so 0.333333 is 1/3. As this happens while reading, equality
  is transitive.
- A comma groups thousands: ``1,234`` is 1234. ``1,22`` and ``0,111`` may be lists or decimals, ``3x`` and ``5 m`` products,
  ``12:00`` a time: they may not be numbers, so they are not read as numbers.
"""

import re
from decimal import Decimal, localcontext
from fractions import Fraction

_MAX_NUMBER_LENGTH = 200
_ROUNDED_PLACES = 6
_ROUNDED_DENOMINATOR = 30

_NUMBER = re.compile(
    r"""
    (?P<sign>[-+]?)[ ]?(?:\\?[$]|[€£¥])?[ ]?(?P<late_sign>[-+]?)[ ]?
    (?:
        (?:(?P<whole>\d+)[ ]?)?\\[dt]?frac(?:\{(?P<top>-?\d+)\}|(?P<top_digit>\d))(?:\{(?P<bottom>\d+)\}|(?P<bottom_digit>\d))
      | (?:(?P<slash_whole>\d+)[ ])?(?P<slash_top>\d+)/(?P<slash_bottom>\d+)
      | (?P<integer>[1-9]\d{0,2}(?:,\d{3})+(?![\d,]) | [1-9]\d{0,2}(?:[ ]\d{3})+(?!\d) | \d+)?(?P<decimals>\.\d*)?
    )
    """,
    re.VERBOSE | re.ASCII,
)
_UNIT = re.compile(
    r"""
    [ ]?(?:
        \\?% | \\?[$] | [€£¥]
      | (?:\^(?:\\circ|\{\\circ\})|°)[ ]?[CF]?(?![A-Za-z])
      | \\(?:text|textbf|textnormal|textrm|mathrm|mbox)\{(?P<text>[A-Za-z .,/\-]*)\}
      | (?P<spaced>(?<=[ ]))?(?P<word>[A-Za-z]+(?:[/-][A-Za-z]+)*)
    )
    (?:\^(?:[23]|\{[23]\})|[²³])?
    """,
    re.VERBOSE,
)
_SHORT_UNIT = re.compile("[mckd]?m|[mk]?g|lb|oz|[mcd][lL]|ft|yd|mi|[mn]?s|hr|[Hh]z|kW|mph|kph|pct|cents|min|sec")
_NOT_UNITS = re.compile(
    r"""(?i)\b(?: hundreds? | thousands? | (?:m|b|tr)illions? | dozens? | half | halves | thirds? | quarters? | pi | tau | phi
    | inf(?:inity)? | sqrt | sin | cos | tan | cot | csc | log | ln | exp | mod | base | am | pm | squared | cubed | factorial
    | and | or | to | than | more | less | fewer | least | most | not | times | over | plus | minus | divided )\b""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\\[,;: ]|\\q?quad(?![A-Za-z])|~|\s+")
_NEGATIVE_SPACE = re.compile(r"\\!\s*")
_TIGHT = re.compile(r" ?([{}/^]) ?")


def plain_number(text: str) -> Fraction | None:
    r"""The number that ``text`` writes, or None if it may not be a number. Never raises.

    Reads integers, decimals, ``1,234``, ``1 234``, ``3/4``, ``\frac{3}{4}``, mixed numbers such as ``1 1/2`` and
    ``1\frac{1}{2}``, each with a sign, a currency or percent sign, or units. The module's text explains what these mean.
    """
    if len(text) > _MAX_NUMBER_LENGTH:
        return None
    text = _tidy(text)
    match = _NUMBER.match(text)
    if match is None or not _is_units(text, match.end()):
        return None
    value = _value(match.groupdict())
    if value is None or (match["sign"] and match["late_sign"]):
        return None
    return -value if "-" in (match["sign"], match["late_sign"]) else value


def spelling(number: Fraction) -> str:
    """The one spelling of ``number``: a decimal if that is finite, else ``a/b``."""
    if 10**_MAX_NUMBER_LENGTH % number.denominator:
        return str(number)
    with localcontext(prec=3 * _MAX_NUMBER_LENGTH):
        return format(Decimal(number.numerator) / Decimal(number.denominator), "f")


def _tidy(text: str) -> str:
    r"""One form for spaces, minus signs and delimiters: ``$ 5\,000 $`` is ``5 000``."""
    text = _NEGATIVE_SPACE.sub("", text).replace("{,}", ",").replace("−", "-")
    text = _TIGHT.sub(r"\1", _SPACE.sub(" ", text)).strip().rstrip("\\. ")
    for start, end in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if len(text) > len(start) + len(end) and text.startswith(start) and text.endswith(end):
            text = text[len(start) : -len(end)].strip()
    return text.rstrip("\\. ")


def _value(parts: dict[str, str | None]) -> Fraction | None:
    top = parts["top"] or parts["top_digit"] or parts["slash_top"]
    bottom = parts["bottom"] or parts["bottom_digit"] or parts["slash_bottom"]
    whole = parts["whole"] or parts["slash_whole"]
    if top is not None and bottom is not None:
        if int(bottom) == 0 or (whole and top.startswith("-")):
            return None
        return int(whole or 0) + Fraction(int(top), int(bottom))
    integer = (parts["integer"] or "").replace(",", "").replace(" ", "")
    places = (parts["decimals"] or "").removeprefix(".").rstrip("0")
    if not integer and not parts["decimals"]:
        return None
    if not integer and not places and parts["decimals"] == ".":
        return None
    value = Fraction(int((integer or "0") + places), 10 ** len(places))
    if len(places) >= _ROUNDED_PLACES:
        simple = value.limit_denominator(_ROUNDED_DENOMINATOR)
        if abs(value - simple) < Fraction(1, 10 ** len(places)):
            return simple
    return value


def _is_units(text: str, start: int) -> bool:
    """Whether everything from ``start`` on is units, percent and currency signs."""
    while start < len(text):
        match = _UNIT.match(text, start)
        if match is None or match.end() == start:
            return False
        word = match["word"]
        if word is not None:
            is_known = len(word) > 1 and _SHORT_UNIT.fullmatch(word)
            if not is_known and (match["spaced"] is None or len(word) < 3):
                return False  # 3xy and 3 xy are products
        if _NOT_UNITS.search(word or match["text"] or ""):
            return False
        start = match.end()
    return True
