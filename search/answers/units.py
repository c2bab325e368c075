r"""Units and words after a number: which stretch of text is one, and which are the same.

``cm``, ``centimeters`` and ``\text{ cm}`` are one unit, ``cm^2``, ``square cm`` and ``cm²`` another. Other words stand for
themselves, without case and without the s of a plural: ``5 gain`` is not ``5 loss``. Nothing is converted: ``1 m`` is not
``100 cm``.
"""

import re
from functools import lru_cache

_NAMES = {
    "cm": "centimeter centimetre", "mm": "millimeter millimetre", "m": "meter metre mtr", "km": "kilometer kilometre",
    "in": "inch", "ft": "foot feet", "yd": "yard", "mi": "mile", "g": "gram gramme gm", "kg": "kilogram kilo",
    "mg": "milligram", "lb": "pound", "oz": "ounce", "l": "liter litre L", "ml": "milliliter millilitre mL",
    "s": "second sec", "min": "minute", "h": "hour hr", "day": "", "week": "wk", "month": "", "year": "yr",
    "%": "percent pct percentage", "$": "dollar usd buck", "€": "euro eur", "£": "gbp sterling", "¥": "yen jpy yuan rmb cny",
    "₹": "rupee inr rs Rs", "₩": "won krw", "cent": "¢", "deg": "degree circ", "degC": "celsius", "degF": "fahrenheit",
    "Hz": "hertz hz", "N": "newton", "J": "joule", "W": "watt", "V": "volt", "A": "ampere amp", "K": "kelvin",
    "gal": "gallon", "pt": "pint", "qt": "quart", "rad": "radian", "Pa": "pascal", "ohm": "omega",
    "mol": "mole", "person": "people", "man": "men", "woman": "women", "child": "children",
}  # fmt: skip
_CANONICAL = {word: unit for unit, words in _NAMES.items() for word in [unit, *words.split()]}
SIGNS = "$€£¥₹₩₽₺₫₦₱₪₿"
"""Currency signs."""
_WITHOUT_RATE = frozenset(SIGNS) | {"%"}
_RATES = {"mph": ("mi", "h^-1"), "kph": ("km", "h^-1"), "kmh": ("km", "h^-1"), "kmph": ("km", "h^-1"), "mps": ("m", "s^-1")}
_FILLERS = frozenset("a an the of unit old in total th about altogether".split()) - {"in"}
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_LATER_POWERS = {"squared": 2, "cubed": 3}
_RAISES = re.compile(r"(?: |\\text\{)*(?:squared|cubed)(?![A-Za-z])")
"""Words that make a power of the number itself, if no unit stands between."""

_NOT_UNITS = re.compile(
    r"""(?i)(?<![A-Za-z])(?: hundreds? | thousands? | (?:m|b|tr)illions? | dozens? | half | halves | thirds? | quarters? | pi
    | tau | phi | inf(?:inity)? | sqrt | sin | cos | tan | cot | csc | sec(?=[ ]*\() | log | ln | exp | mod | base
    | factorial | zero | remainder | tens
    | and | or | to | than | more | less | fewer | least | most | not | times | over | plus | minus | divided | out | by | if
    | when | where | is | are | st | [nr]d | e | i | x | y | z )(?![A-Za-z])""",
    re.VERBOSE,
)
_SHORT = (
    "[mckd]?m|[mk]?g|lbs?|oz|[mcd]?[lL]|ft|yds?|mi|[mn]?s|hrs?|h|[MGk]?Hz|[kM]?Wh?|[kM]?Pa|[kM]?J|[mk]?V|mph|kph|pct|cents|min|sec"
    r"|in|cc|[ap]\.m\.?|USD|EUR|GBP|th|am|pm|AM|PM|deg|rad|mol|dB|N|K"
)
_POWER = r"(?:\^-?\d|\^\{-?\d\}|[²³])"
_WORD = rf"(?:[A-Za-z]+(?:\.[A-Za-z]+)*\.?|\\(?:mu|Omega)[ ]?){_POWER}?"
_TEXT = r"\\text\{[A-Za-z .,/\-^\d{}²³$%°]*?\}"
_JOIN = r"[ ]?(?:/|\\cdot|\\times|\*|-)?[ ]?"
_SUFFIX = re.compile(
    rf"""
    (?P<tight> [ ]? (?: %|[{SIGNS}¢] | ['"](?!\d)
        | \^\\circ[ ]?(?:\\text\{{[ ]?[CF]\}}|[CF](?![A-Za-z]))? | \^\{{?(?:\\text\{{)?th\}}?\}}?
        | (?:\\mu[ ]?|\\Omega[ ]?)?{_TEXT}{_POWER}? | \\Omega | \\frac\{{{_TEXT}\}}\{{{_TEXT}{_POWER}?\}}
        | \\frac\{{[a-z]{{1,2}}\}}\{{[a-z]{{1,2}}{_POWER}?\}} ) )
  | (?P<short> [ ]? (?:{_SHORT})(?![A-Za-z]){_POWER}? )
  | (?P<long> [A-Za-z]{{4,}}(?![A-Za-z]) )
  | (?P<spaced> [ ] (?:{_WORD}(?![A-Za-z])) )
  | (?P<joined> [ ]?(?:/|\\cdot)[ ]?(?:{_TEXT}{_POWER}?|{_WORD}(?![A-Za-z])) )
    """,
    re.VERBOSE,
)
_PIECE = re.compile(rf"(?P<word>[A-Za-z]+(?:\.[A-Za-z]+)*\.?|[%{SIGNS}¢])(?P<power>{_POWER})?|(?P<per>/)")
_ONE_LETTER = frozenset("mgshlLNJWVAKCF")


MAX_CACHED_CHARS = 100
"""Units that are longer are read anew each time, so that all that is remembered takes less than a megabyte."""


def units(text: str) -> frozenset[str] | None:
    r"""Return the units that ``text`` consists of, or None if it is something else. No text has no units.

    ``text`` is what follows a number, with the space between them: a letter next to a number is a variable, as in ``3x``, and a
    word with a space a unit, as in ``3 apples``. Its powers are part of a unit: ``{"m", "s^-2"}``.
    """
    return _remembered_units(text) if len(text) <= MAX_CACHED_CHARS else _units(text)


def _units(text: str) -> frozenset[str] | None:
    if _RAISES.match(text):
        return None
    at = 0
    while at < len(text):
        match = _SUFFIX.match(text, at)
        if match is None or (match["joined"] and at == 0) or not _is_unit(match):
            return None
        at = match.end()
    return _canonical(text)


_remembered_units = lru_cache(maxsize=1024)(_units)


def agree(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether two answers with the same number may be one: either says no more than the other, and not in another unit.

    ``12 apples`` may be ``12 red apples``, but ``12 m`` is not ``12 m/s``. An amount or a percentage may leave out its rate.
    """
    less, more = sorted((a, b), key=len)
    if not less <= more:
        return False
    return less <= _WITHOUT_RATE or not any("^" in unit or unit in _NAMES for unit in more - less)


def currency(sign: str) -> str:
    """Return the unit of a currency's sign or code."""
    word = sign.strip("\\. ")
    return next((_CANONICAL[w] for w in (word, word.lower(), word[-1:]) if w in _CANONICAL), word)


def _is_unit(match: re.Match[str]) -> bool:
    written = match[0].replace("\\text", "")
    if _NOT_UNITS.search(re.sub(r"[{}]", " ", written)):
        return False
    word = re.sub(r"[^A-Za-z\\]", "", written)
    return (
        not match["spaced"]
        or len(word) > 2
        or (len(word) == 2 and word in _CANONICAL)
        or word in _ONE_LETTER
        or word.startswith("\\")
        or word in {"BC", "AD", "CE", "sq", "cu"}
    )


def _canonical(text: str) -> frozenset[str]:
    text = (
        re.sub(r"(?i)\bper cent\b", "percent", text)
        .replace("'", " ft ")
        .replace('"', " in ")
        .replace("^\\circ", " deg ")
        .replace("\\Omega", " ohm ")
        .replace("\\mu", " micro ")
    )
    text = re.sub(r"\}?\^\{?(-?\d)\}?", r"^\1 ", text.replace("²", "^2").replace("³", "^3"))
    text = re.sub(r"\\frac\{(.*)\}\{(.*)\}?", r" \1 / \2 ", text)
    text = re.sub(r"\\text|\\cdot|\\times|[{}]", " ", text)
    found: list[str] = []
    sign, power = 1, 1
    for piece in _PIECE.finditer(text):
        word = (piece["word"] or "").replace(".", "")
        if piece["per"] or word == "per":
            sign = -1
        elif word.lower() in _RATES:
            found += _RATES[word.lower()]
        elif word.lower() in _POWERS:
            power = _POWERS[word.lower()]
        elif word.lower() in _LATER_POWERS and found:
            found[-1] = _raised(found[-1], _LATER_POWERS[word.lower()])
        elif word and (unit := _unit(word)) not in _FILLERS:
            written = int(piece["power"][1:]) if piece["power"] else power
            found.append(_raised(unit, sign * written))
            power = 1
    degrees = {"deg", "C", "F"}
    if "deg" in found and len(found) > 1 and set(found) <= degrees | {"degC", "degF"}:
        found = [{"C": "degC", "F": "degF"}.get(unit, unit) for unit in found if unit != "deg"]
    return frozenset(found)


def _raised(unit: str, power: int) -> str:
    return unit if power == 1 else f"{unit}^{power}"


def _unit(word: str) -> str:
    for spelling in (word, word.lower(), word.lower().removesuffix("s"), word.lower().removesuffix("es")):
        if spelling in _CANONICAL:
            return _CANONICAL[spelling]
    return word if len(word) == 1 else word.lower().removesuffix("s")
