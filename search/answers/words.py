"""Numbers written in English words: ``twenty-one``, ``one hundred and five``, ``three quarters``, ``1.5 million``."""

import re
from fractions import Fraction

_SMALL = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen".split(),
        range(20),
        strict=True,
    )
)
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
"""Words that multiply the number before them."""
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_WORD = re.compile(r"[ -]?([A-Za-z]+)")


def spelled_number(text: str) -> tuple[Fraction, int] | None:
    """Return the number that the first words of ``text`` spell and where they end, or None without such words."""
    value: Fraction | None = None
    at = end = 0
    group = total = 0
    joined = False
    while match := _WORD.match(text, at):
        word = match[1].lower()
        at = match.end()
        if word in _SMALL or word in _TENS:
            group += _SMALL.get(word, _TENS.get(word, 0))
        elif word == "and" and value is not None and not joined:
            joined = True
            continue
        elif word == "a" and (joined or value is None):
            continue
        elif word in SCALES and value is not None:
            group *= SCALES[word]
            if SCALES[word] > 100:
                total, group = total + group, 0
        elif word.removesuffix("s") in _PARTS and (value is not None or word == "half"):
            part = _PARTS[word.removesuffix("s")]
            if joined:
                return value + Fraction(1, part) if value is not None else Fraction(1, part), at
            return Fraction(total + group if value is not None else 1, part), at
        else:
            break
        value, end, joined = Fraction(total + group), at, False
    return None if value is None else (value, end)
