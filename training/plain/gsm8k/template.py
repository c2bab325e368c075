"""Problems of GSM8K as templates: a text with slots for numbers, and the program that computes the answer.

The training solutions carry calculator annotations such as ``<<48/2=24>>``. A problem becomes a template if every number of its
annotations can be traced: to the text, among earlier results, or as what a word of the text means (half, dozen, week).
Karl Cobbe et al., "Training Verifiers to Solve Math Word Problems", arXiv 2110.14168.
"""

import hashlib
import re
from dataclasses import dataclass

from epf.training.plain.gsm8k.program import Fixed, Given, Operand, Operation, Result, operations_of, percent_last, run

ANNOTATION = re.compile(r"<<([^=<>]+)=([^<>]+)>>")
NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER = re.compile(
    r"(?<![\w.,/:])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\da-z/:]|\.\d|,\d)"
    rf"|\b({'|'.join(NUMBER_WORDS)})\b(?![- ](?:third|fourth|fifth|half|quarter|thousand|hundred|million))",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"\b(\d+)/(\d+)\b")
WORDS: dict[float, str] = {
    0.01: r"%|percent|cents?",
    0.1: r"dimes?",
    0.25: r"quarters?|fourth",
    0.5: r"half|halves|halved",
    1: r"%|percent|half|third|quarter|\d/\d|one|another|single|herself|himself|fraction|fifth|fourth",
    2: r"half|halves|halved|twice|doubles?|doubled|pairs?|couple|both|two-\w+|each other|half-\w+|biweekly",
    3: r"thirds?|triples?|tripled|thrice|yards?|three-\w+",
    4: r"quarters?|fourths?|quadruple[ds]?|four-\w+|month",
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
    100: r"%|percent|cents?|dollars?|met(?:er|re)s?|century|pennies",
    365: r"years?|days?|yearly",
    1000: r"kilo\w*|kg|km|lit(?:er|re)s?|thousand|grams?|ml",
}
"""Numbers that a solution may use although the text has no such digits, with the words that mean them."""
_DEVELOPMENT_SHARE = 20
"""One wording in this number is held out from training, by the hash of its text."""


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

    def write(self, value: float) -> str:
        """Return another number in the spelling of this one."""
        if self.decimals >= 0:
            return f"{value:{',' if self.comma else ''}.{self.decimals}f}"
        word = NUMBER_WORDS[int(value) - 2]
        return word.capitalize() if self.start == 0 else word


@dataclass(frozen=True, slots=True)
class Template:
    """A text, its slots in order, and the operations that lead to the answer."""

    text: str
    slots: tuple[Slot, ...]
    program: tuple[Operation, ...]

    @property
    def used(self) -> frozenset[int]:
        """The slots that the program reads; the others stay as they are."""
        operands = [operand for operation in self.program for operand in (operation.left, operation.right)]
        return frozenset(operand.index for operand in operands if isinstance(operand, Given))

    @property
    def held_out(self) -> bool:
        """Whether the wording is held out from training, for development."""
        return hashlib.blake2b(self.text.encode(), digest_size=4).digest()[0] % _DEVELOPMENT_SHARE == 0

    def filled(self, values: dict[int, str]) -> str:
        """Return the text with other words in some slots."""
        text = self.text
        for index in sorted(values, reverse=True):
            slot = self.slots[index]
            text = text[: slot.start] + values[index] + text[slot.end :]
        return text


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


def template_of(question: str, answer: str) -> Template | None:
    """Return the template of a row of GSM8K; ``None`` if a number cannot be traced or the operations miss the answer."""
    text = " ".join(question.split())
    slots = slots_of(text)
    program: list[Operation] = []
    results: list[float] = []
    gold = answer.rsplit("####", 1)[1].strip().replace(",", "")
    try:
        for expression, shown in ANNOTATION.findall(answer):
            first = len(program)
            for left, op, right in operations_of(_plain(expression)):
                operands = [_trace(side, first, text, slots, results) for side in (left, right)]
                if any(operand is None for operand in operands):
                    return None
                program.append(Operation(operands[0], op, operands[1]))  # type: ignore[arg-type]
                results = run(tuple(program), [slot.value for slot in slots])
            if len(program) == first or abs(results[-1] - float(_plain(shown))) > 1e-6:
                return None
        found = Template(text, slots, percent_last(tuple(program)))
        return found if program and abs(results[-1] - float(gold)) < 1e-6 and found.used else None
    except (ValueError, ZeroDivisionError):
        return None


def _plain(expression: str) -> str:
    return re.sub(r"(\d+(?:\.\d+)?)%", r"(\1/100)", re.sub(r"[\s,$]", "", expression)).replace("x", "*").lstrip("0") or "0"


def _trace(side: object, first: int, text: str, slots: tuple[Slot, ...], results: list[float]) -> Operand | None:
    """Return where an operand comes from; ``None`` if there is no source, or an earlier result and another one.

    A number that stands in the text twice, or in digits and as a word, stays what it is: nobody can know which one is meant.
    """
    if isinstance(side, int):
        return Result(first + side)
    assert isinstance(side, float)
    sources: list[Operand] = [Given(i) for i, slot in enumerate(slots) if slot.value == side]
    sources += [Result(i) for i, result in enumerate(results) if abs(result - side) < 1e-9]
    in_fraction = any(side in (float(a), float(b)) for a, b in _FRACTION.findall(text))
    word = WORDS.get(side)
    if in_fraction or (word is not None and re.search(rf"(?<![a-z])(?:{word})(?![a-z])", text, re.IGNORECASE)):
        sources.append(Fixed(side))
    if len(sources) > 1 and not any(isinstance(source, Result) for source in sources):
        return Fixed(side)
    return sources[0] if len(sources) == 1 else None
