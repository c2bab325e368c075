r"""Plain numbers, compared as exact fractions, so that most answers need no computer algebra system.

What is equal there:

- A number without a unit equals the same number with any: ``12`` is ``\$12``, ``12 apples``, ``12\text{ cm}^2`` and ``12\%``,
  since the question says what is counted. Two different units make two different answers: ``12 cm`` is neither ``12 m`` nor
  ``12 kg``, ``5 \text{ gain}`` not ``5 \text{ loss}``; where one side only says more, as in ``12 red apples`` and
  ``12 apples``, they are equal, unless that is another unit, as in ``12 m/s``.
- From 1 % on a percentage is read both ways, as most people write it: ``50\%`` is 50 and 0.5. ``0.5\%`` is 0.005 only.
- Values are compared exactly: 1/2 is 0.5, and 0.33 is not 1/3. But a decimal of six or more places that rounds or cuts a
  fraction with a denominator up to 30 is read as that fraction, so 0.333333 is 1/3. As this happens while reading, equality
  is transitive.
- A comma groups thousands: ``1,234`` is 1234. ``1,22`` may be a list or a decimal, ``3x`` is a product,
  ``12:00`` a time: they may not be numbers, so they are not read as numbers.
- ``25th`` is a number with a unit; ``1st``, ``2nd`` and ``3rd`` name a place in an order and are text.
"""

import re
from fractions import Fraction

from epf.search.answers.reading import Reading
from epf.search.answers.text import tidy
from epf.search.answers.units import SIGNS, currency, units
from epf.search.answers.words import SCALES, spelled_number

_MAX_NUMBER_LENGTH = 200
_ROUNDED_PLACES = 6
_ROUNDED_DENOMINATOR = 30

_QUICK = re.compile(r"\s*(-?)(\\?\$)?([1-9]\d{0,2}(?:,\d{3})+|\d{1,15})(\.\d{1,5})?\s*", re.ASCII)
_NO_SEPARATORS = str.maketrans("", "", ",.' ")
_NO_UNITS: frozenset[str] = frozenset()
_DOLLAR = frozenset("$")
_CURRENCY = rf"(?:(?:US|HK|CA|AU|NZ|[CAS])?\$|[{SIGNS}]|(?:USD|EUR|GBP|JPY|CNY|INR|CHF|AUD|CAD|Rs\.?|RM)\ )"
_NUMERAL = re.compile(
    r"""
    (?:(?P<whole>\d+)[ ]?)?\\frac[ ]?(?:\{[ ]?(?P<top>[-+]?\d+)[ ]?\}|(?P<top_digit>\d))
        [ ]?(?:\{[ ]?(?P<bottom>[-+]?\d+)[ ]?\}|(?P<bottom_digit>\d))
  | (?:(?P<slash_whole>\d+)[ ])?(?P<slash_top>\d+)[ ]?/[ ]?(?P<slash_bottom>\d+)(?![\d.]|[ ]?/[ ]?\d)
  | (?P<before>\d*)\.(?P<fixed>\d*)(?:\\overline[ ]?\{(?P<block>\d+)\}|\\overline[ ]?(?P<digit>\d)
        |\\dot\{?(?P<dotted>\d)\}?|\((?P<bracketed>\d+)\)|(?P<dots>[ ]?(?:\.\.\.|\\dots)))
  | (?P<integer>[1-9]\d{0,2}(?:(?:,\d{3})+|(?:'\d{3})+)(?![\d,])
        | [1-9]\d{0,2}(?:[ ]\d{3})+(?!\d) | \d{1,3}(?:\.\d{3}){2,}(?![\d.])
        | \d+)?
        (?P<decimals>\.\d*(?!\.)|(?<=(?<!\d)0),\d{3,}(?![\d,]))? (?:[eE](?P<exponent>[-+]?\d{1,3})(?![\w.]))?
    """,
    re.VERBOSE | re.ASCII,
)
_START = re.compile(
    rf"(?P<sign>(?:minus|negative)\ |[-+]?)[ ]?(?P<currency>{_CURRENCY})?[ ]?(?P<late_sign>[-+]?)[ ]?", re.VERBOSE
)
_LETTER = re.compile(r" ?[A-Za-z](?:\^.*)?")
_SCALE = re.compile(rf"[ ]?(?:\\text\{{[ ]?({'|'.join(SCALES)})s?[ ]?(?P<rest>[^{{}}]*)\}}|({'|'.join(SCALES)})s?)(?![A-Za-z])")


def plain(text: str) -> Reading | None:
    r"""Return the reading of an answer that writes a number, or None if it may not be one. Never raises.

    Reads integers, decimals, ``1,234``, ``1 234``, ``3/4``, ``\frac{3}{4}``, mixed numbers such as ``1 1/2`` and
    ``1\frac{1}{2}``, ``0.1\overline{6}``, ``1e-5``, ``1.5 million`` and numbers in words, each with a sign, a currency or
    percent sign, or units. The module's text explains what these mean.
    """
    if quick := _QUICK.fullmatch(text):
        sign, dollar, integer, places = quick.groups()
        integer = f"{sign}{integer.replace(',', '')}"
        return Reading(str(Fraction(integer + places) if places else int(integer)), (), _DOLLAR if dollar else _NO_UNITS)
    if len(text) > _MAX_NUMBER_LENGTH:
        return None
    return quantity(tidy(text))


def plain_number(text: str) -> Fraction | None:
    """Return the number that :func:`plain` reads, without its units, or None."""
    reading = plain(text)
    return None if reading is None else Fraction(reading.key)


def quantity(text: str) -> Reading | None:
    """Return the reading of a number in tidy text, with or without units, or None if it may not be a number."""
    start = _START.match(text)
    assert start is not None  # it may be empty
    if start["sign"] and start["late_sign"]:
        return None
    found = _numeral(text, start.end())
    if found is None:
        return None
    value, end = found
    while scale := _SCALE.match(text, end):
        value *= SCALES[scale[1] or scale[3]]
        end = scale.end()
        if scale["rest"]:
            text = f"{text[:end]} {scale['rest']}{text[end:]}"
    after = units(text[end:])
    if after is None or (text[end - 1] == "}" and _LETTER.fullmatch(text, end)):  # \frac{1}{2} h may be a product
        return None
    value = -value if start["sign"] not in ("", "+") or start["late_sign"] == "-" else value
    if start["currency"]:
        after |= {currency(start["currency"])}
    if "%" not in after:
        return Reading(str(value), units=after)
    if abs(value) < 1:
        return Reading(str(value / 100), units=after)
    return Reading(str(value), (str(value / 100),), after)


def decimal(written: str) -> Fraction:
    """Return the value of a decimal such as ``0.333333``, of which six or more places stand for a simple fraction."""
    integer, _, places = written.partition(".")
    places = places.rstrip("0")
    value = Fraction(int((integer or "0") + places), 10 ** len(places))
    if len(places) >= _ROUNDED_PLACES:
        simple = value.limit_denominator(_ROUNDED_DENOMINATOR)
        if abs(value - simple) < Fraction(1, 10 ** len(places)):
            return simple
    return value


def _numeral(text: str, start: int) -> tuple[Fraction, int] | None:
    """The unsigned number that begins at ``start``, and its end."""
    if text[start : start + 1].isalpha():
        spelled = spelled_number(text[start:])
        return None if spelled is None else (spelled[0], start + spelled[1])
    match = _NUMERAL.match(text, start)
    value = None if match is None else _value(match.groupdict())
    return None if match is None or value is None else (value, match.end())


def _value(parts: dict[str, str | None]) -> Fraction | None:
    top = parts["top"] or parts["top_digit"] or parts["slash_top"]
    bottom = parts["bottom"] or parts["bottom_digit"] or parts["slash_bottom"]
    whole = parts["whole"] or parts["slash_whole"]
    if top is not None and bottom is not None:
        if int(bottom) == 0 or (whole and (top.startswith("-") or bottom.startswith("-"))):
            return None
        return int(whole or 0) + Fraction(int(top), int(bottom))
    if parts["dots"]:
        return _going_on(parts["before"] or "0", parts["fixed"] or "")
    block = parts["block"] or parts["digit"] or parts["dotted"] or parts["bracketed"]
    if block:
        return _repeating(parts["before"] or "0", parts["fixed"] or "", block)
    integer = (parts["integer"] or "").translate(_NO_SEPARATORS)
    if not integer and (parts["decimals"] or ".") == ".":
        return None
    power = int(parts["exponent"] or 0)
    scale = Fraction(10 ** abs(power))
    value = decimal(integer + (parts["decimals"] or "").replace(",", "."))
    return value * (scale if power >= 0 else 1 / scale)


def _repeating(before: str, fixed: str, block: str) -> Fraction:
    """The value of ``before.fixed`` with ``block`` repeated for ever."""
    nines = 10 ** len(block) - 1
    return (int(before + fixed) + Fraction(int(block), nines)) / Fraction(10 ** len(fixed))


def _going_on(before: str, places: str) -> Fraction | None:
    """The value of ``0.333...`` or ``0.1212...``; None where no block stands at the end at least twice, a digit three times."""
    for length in range(1, len(places) // 2 + 1):
        block = places[-length:]
        times = 3 if length == 1 else 2
        if places.endswith(block * times):
            fixed = places
            while fixed.endswith(block):
                fixed = fixed[:-length]
            return _repeating(before, fixed, block)
    return None
