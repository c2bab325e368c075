"""The numbers of a text that may be drawn anew."""

import re
from dataclasses import dataclass

NUMBER_WORDS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_NUMBER = re.compile(
    r"(?<![\w.,/:])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\da-z/:]|\.\d|,\d)"
    rf"|\b({'|'.join(NUMBER_WORDS)})\b(?!-|\s(?:third|fourth|fifth|half|quarter|thousand|hundred|million))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A number of the text at characters ``start`` to ``end``.

    Attributes:
        decimals: number of decimals; -1 for a word.
        comma: whether thousands are separated by a comma.
    """

    start: int
    end: int
    value: float
    decimals: int
    comma: bool = False

    def is_percentage(self, text: str) -> bool:
        """Whether ``text``, in which the slot is, calls the number a percentage."""
        return text[self.end :].lstrip("- ").startswith(("%", "percent"))

    def write(self, value: float) -> str:
        """Return another number in the spelling of this one."""
        if self.decimals >= 0:
            return f"{value:{',' if self.comma else ''}.{self.decimals}f}"
        word = NUMBER_WORDS[int(value) - 2]
        return word.capitalize() if self.start == 0 else word


def slots_of(text: str) -> tuple[Slot, ...]:
    """Return the numbers of a text; ordinals, fractions and times of day are not among them."""
    found = []
    for match in _NUMBER.finditer(text):
        whole, decimals, word = match.groups()
        if word:
            found.append(Slot(match.start(), match.end(), NUMBER_WORDS.index(word.lower()) + 2.0, -1))
        else:
            value = float(whole.replace(",", "") + (decimals or ""))
            found.append(Slot(match.start(), match.end(), value, len(decimals or ".") - 1, "," in whole))
    return tuple(found)
