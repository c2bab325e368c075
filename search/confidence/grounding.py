r"""Whether the arithmetic of a solution is right, and whether its numbers come from the problem.

A solution may be fluent, unanimous and highly scored while it multiplies the wrong numbers. Its equations can be checked
without a model: "60 / 4 = 10" is false, "12 * 12 = 144" takes 12 twice where the problem has it once, and "23 - 9 = 14" leaves
a number of the problem unused, which may be irrelevant to the question or may have been overlooked.
"""

import re
from collections import Counter
from dataclasses import dataclass

NUMBER_WORDS = {
    "two": 2, "half": 2, "twice": 2, "double": 2, "doubled": 2, "doubles": 2, "pair": 2,
    "three": 3, "third": 3, "thrice": 3, "triple": 3, "tripled": 3, "triples": 3,
    "four": 4, "quarter": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "dozen": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
"""English words that stand for a number. "One" is left out, since it is mostly an article or a pronoun."""

MAX_CHARS = 4000
"""Number of characters that are read: at the start of a problem and at the end of a solution."""

_SPELLINGS = (("\\times", "*"), ("\\cdot", "*"), ("\\div", "/"), ("×", "*"), ("÷", "/"), ("−", "-"), ("$", ""))
_NUMBER = r"(?<!\d)\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,15})?(?!\d)"
_WORD = re.compile(rf"{_NUMBER}|[a-z]+")
_CHAIN = rf"{_NUMBER}(?:\s?[-+*/]\s?{_NUMBER}){{1,20}}"
# Neither side may be a part of a longer expression, such as "3 + 4 = 5" in "x + 3 + 4 = 5 + y".
_EQUATION = re.compile(rf"(?<![\w.+*/()=-])(?<![-+*/(=] )({_CHAIN})\s?=\s?({_NUMBER})(?!\w|\s?[-+*/^%])")


@dataclass(frozen=True, slots=True)
class Grounding:
    """The numbers of a solution compared with those of its problem.

    Attributes:
        n_given: number of numbers in the problem, as digits or as English words.
        n_unused: number of them that no equation of the solution uses.
        n_foreign: number of operands that neither the problem nor an earlier equation provides.
        n_false: number of equations that are false; a result may be rounded.
    """

    n_given: int
    n_unused: int
    n_foreign: int
    n_false: int


def grounding(problem: str, solution: str) -> Grounding:
    """Compare the equations of a solution (numbers joined by +, -, * or /, and their result) with the problem's numbers."""
    given = Counter(_given(problem))
    unused, results = given.copy(), Counter[float]()
    n_foreign = n_false = 0
    for left, right in _EQUATION.findall(_plain(solution[-MAX_CHARS:])):
        taken = Counter[float]()
        for operand in map(_value, re.findall(_NUMBER, left)):
            taken[operand] += 1
            if unused[operand] > 0:
                unused[operand] -= 1
            elif taken[operand] > given[operand] + results[operand]:
                n_foreign += 1
        n_false += not _holds(left, right)
        results[_value(right)] += 1
    return Grounding(given.total(), unused.total(), n_foreign, n_false)


def _given(problem: str) -> list[float]:
    words = _WORD.findall(_plain(problem[:MAX_CHARS]).lower())
    return [_value(word) if word[0].isdigit() else float(NUMBER_WORDS[word]) for word in words if _is_number(word)]


def _is_number(word: str) -> bool:
    return word[0].isdigit() or word in NUMBER_WORDS


def _plain(text: str) -> str:
    for spelling, plain in _SPELLINGS:
        text = text.replace(spelling, plain)
    return text


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _holds(left: str, right: str) -> bool:
    """Whether the left-hand side equals the right-hand side, or rounds to it at its last digit."""
    total = 0.0
    for sign, term in re.findall(rf"([-+]?)\s*({_NUMBER}(?:\s*[*/]\s*{_NUMBER})*)", left):
        product = 1.0
        for operation, number in re.findall(rf"([*/]?)\s*({_NUMBER})", term):
            if operation == "/" and _value(number) == 0:
                return False
            product = product / _value(number) if operation == "/" else product * _value(number)
        total += -product if sign == "-" else product
    tolerance = 0.5 / float(10 ** len(right.partition(".")[2]))
    return bool(abs(total - _value(right)) < tolerance)
