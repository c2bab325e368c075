"""Numbers that a solution may use although the text has no such digits, with the words that mean them."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_FRACTION = re.compile(r"\b(\d+)[/:](\d+)\b")
WORDS: Mapping[float, str] = MappingProxyType(
    {
        0.01: r"%|percent|cents?",
        0.1: r"dimes?",
        0.25: r"quarters?|fourth",
        0.5: r"half|halves|halved",
        1: r"%|percent|half|third|quarter|\d/\d|one|another|single|herself|himself|fraction|fifth|fourth",
        2: r"half|halves|halved|twice|doubles?|doubled|pairs?|couple|both|two[- ](?:thirds|fifths)|two-\w+|each other|biweekly",
        3: r"thirds?|triples?|tripled|thrice|yards?|three[- ](?:fourths|quarters|fifths|eighths)|three-\w+",
        4: r"quarters?|fourths?|quadruple[ds]?|four[- ]fifths|four-\w+|month",
        5: r"fifths?|nickels?|quintuple|weekdays?|five-\w+",
        6: r"sixths?|half a dozen|half-dozen",
        7: r"weeks?|weekly|daily|days|week's",
        8: r"eighths?",
        10: r"tenths?|dimes?|decades?",
        12: r"dozens?|years?|yearly|annual(?:ly)?|months?|monthly|foot|feet|inch(?:es)?",
        16: r"ounces?|pounds?",
        24: r"days?|hours?|daily",
        25: r"quarters?",
        30: r"months?|monthly|June|April|September|November",
        52: r"years?|weeks?|yearly|annual(?:ly)?",
        60: r"hours?|minutes?|seconds?|hourly",
        100: r"%|percent(?:ages?)?|cents?|dollars?|met(?:er|re)s?|century|pennies",
        365: r"years?|days?|yearly",
        1000: r"kilo\w*|kg|km|lit(?:er|re)s?|thousand|grams?|ml",
    }
)


def means(text: str, value: float) -> bool:
    """Whether a word, a fraction or a ratio of the text stands for a number."""
    if any(value in (float(a), float(b)) for a, b in _FRACTION.findall(text)):
        return True
    word = WORDS.get(value)
    return word is not None and re.search(rf"(?<![a-z])(?:{word})(?![a-z])", text, re.IGNORECASE) is not None
