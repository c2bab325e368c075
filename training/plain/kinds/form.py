"""Sentence forms with slots for words and numbers, and how a form becomes a problem.

``Form("{A} had {a} {items}. {A} [lost|gave away] {b}. How many are left?", "a:N b:<a", "a-b")`` has a text, the numbers to draw
and the lines of the solution:

* text: ``[x|y]`` is one of several wordings, the same one wherever the same choice occurs; ``{A}``, ``{B}``, ``{C}`` are names,
  ``{he}``, ``{He}``, ``{his}``, ``{him}`` the pronouns of A, ``{items}`` and ``{item}``, ``{items2}``, ``{items3}`` things,
  ``{box}``, ``{boxes}`` containers; ``{place}``, ``{shop}``, ``{day}``, ``{day2}``, ``{adj}``, ``{adj2}`` are what their
  names say; other slots are numbers;
* numbers, in order: ``a:N`` draws one of a kind (:data:`KINDS`), ``b:<a`` one below ``a``, ``c=a*b`` computes one;
* lines: operations on numbers and earlier results, ``s=a-b; s*c``. The last result is the answer.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from epf.problem_sets.synthetic import words
from epf.training.plain.kinds.grammar.vocabulary import PRONOUNS
from epf.training.plain.problem import PlainProblem, compute, operation_lines, show

_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = re.compile(r"(\ba|(?:^|(?<=[.?!] ))A) (?=[aeiou]|8|1[18]\b)(?!one\b|uni|use|uku|eu)")
_STEP = re.compile(r"(?:(\w+)=)?([\w.]+)([-+*/])([\w.]+)")
_THINGS = (words.THINGS, words.THINGS, words.FOODS, words.PLANTS, words.ANIMALS)
_SMALL = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PRONOUNS = {"he": ("he", "his", "him"), "she": ("she", "her", "her")}
Draw = Callable[[np.random.Generator], float]


@dataclass(frozen=True, slots=True)
class Form:
    """A text, the numbers to draw and the lines of the solution; no lines: the problem cannot be answered."""

    text: str
    numbers: str
    lines: str


def _mixed(rng: np.random.Generator) -> float:
    low, high = ((2, 12), (10, 99), (100, 999), (1000, 9999), (10_000, 99_999))[
        rng.choice(5, p=(0.2, 0.55, 0.19, 0.045, 0.015))
    ]
    return float(rng.integers(low, high + 1))


def _between(low: int, high: int, unit: float = 1) -> Draw:
    return lambda rng: round(float(rng.integers(low, high + 1)) * unit, 2)


KINDS: Mapping[str, Draw] = MappingProxyType(
    {
        "N": _mixed,
        "S": _between(2, 12),
        "T": _between(2, 20),
        "M": _between(10, 99),
        "L": _between(100, 999),
        "R": _between(2, 90, 10),
        "P": _between(1, 19, 5),
        "F": _between(2, 6),
        "Y": _between(1900, 2030),
        "Q": _between(2, 80, 0.25),
        "D": _between(21, 1999, 0.05),
        "C": _between(101, 4999, 0.01),
        "E": _between(1, 199, 0.1),
        "H": _between(5, 995, 0.01),
    }
)
"""Kinds of numbers: N of mixed size, S to 12, T to 20, M of two digits, L of three, R round, P a percentage, F a few, Y a year,
Q, D and C money in steps of 25, 5 and 1 cents, E tenths and H hundredths."""


def realise(rng: np.random.Generator, form: Form) -> PlainProblem:
    """Draw the numbers and words of a form.

    Raises:
        ValueError: the numbers that were drawn do not work out; draw again.
    """
    values = _numbers(rng, form.numbers)
    lines, answer = _solve(form.lines, values)
    text = form.text
    chosen: dict[str, str] = {}
    while match := _CHOICE.search(text):
        text = text.replace(match[0], chosen.setdefault(match[1], _pick(rng, match[1].split("|"))))
    slots = set(_SLOT.findall(text))
    filled: dict[str, str] = _words(rng, slots - values.keys())
    filled |= {name: _written(rng, value, text, name) for name, value in values.items()}
    text = _SLOT.sub(lambda match: filled[match[1]], text)
    text = re.sub(r" +(?=[ ,.;?])", "", text).strip()
    text = _ARTICLE.sub(r"\1n ", text)
    text = re.sub(r"(^|[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), text)
    return PlainProblem(text, tuple(lines), answer)


def _numbers(rng: np.random.Generator, spec: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in spec.split():
        if ":" in part:
            name, kind = part.split(":")
            values[name] = _below(rng, values[kind[1:]]) if kind[0] == "<" else KINDS[kind](rng)
        else:
            match = _STEP.fullmatch(part)
            if match is None:
                raise KeyError(f"{part!r} is neither name:kind nor name=a+b.")
            values[match[1]] = round(compute(_value(match[2], values), match[3], _value(match[4], values)), 6)
    if min(values.values(), default=0) < 0:
        raise ValueError(f"{spec!r} has drawn a negative number.")
    return values


def _below(rng: np.random.Generator, high: float) -> float:
    """Draw a number below another; whole if that is whole."""
    if not high.is_integer():
        return round(float(rng.integers(5, int(high * 100))) / 100, 2)
    if high < 3:
        raise ValueError(f"No number from 2 lies below {high}.")
    top = int(high) - 1
    return float(rng.integers(2, (top if rng.random() < 0.6 else max(2, min(top, int(high) // 2))) + 1))


def _solve(steps: str, values: dict[str, float]) -> tuple[list[str], str | None]:
    known, lines, result = dict(values), [], None
    for i, step in enumerate(filter(None, (step.strip() for step in steps.split(";")))):
        match = _STEP.fullmatch(step)
        if match is None:
            raise KeyError(f"{step!r} is not an operation of two numbers.")
        a, b = _value(match[2], known), _value(match[4], known)
        result = round(compute(a, match[3], b), 6)
        if result < 0:
            raise ValueError(f"{step} is negative.")
        lines += operation_lines(a, match[3], b)
        known[match[1] or f"r{i}"] = result
    return lines, None if result is None else show(result)


def _value(name: str, values: Mapping[str, float]) -> float:
    return values[name] if name in values else float(name)


def _pick(rng: np.random.Generator, options: list[str] | tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _written(rng: np.random.Generator, value: float, text: str, name: str) -> str:
    """Write a number as a text does: mostly in digits, small ones at times in words, thousands at times with a comma."""
    is_money = re.search(rf"[$£€]\{{{name}\}}", text) is not None
    if not value.is_integer():
        return f"{value:.2f}" if is_money else show(value)
    in_sentence = not is_money and not re.search(rf"\{{{name}\}}[%:.]?\w|[-+*/=x] ?\{{{name}\}}|\{{{name}\}}%", text)
    if 2 <= value <= 12 and in_sentence and rng.random() < 0.15:
        return _SMALL[int(value) - 2]
    year = 1800 <= value < 2200
    return f"{int(value):,}" if value >= 1000 and not year and in_sentence and rng.random() < 0.3 else str(int(value))


def _words(rng: np.random.Generator, slots: set[str]) -> dict[str, str]:
    """Draw a word for each slot; different names, things and days differ."""
    names = _some(rng, words.NAMES, 3)
    he, his, him = _PRONOUNS[PRONOUNS.get(names[0]) or _pick(rng, ("he", "she"))]
    nouns = _THINGS[int(rng.integers(len(_THINGS)))]
    things = _some(rng, nouns, 3)
    box = _pick(rng, words.CONTAINERS)
    days = _some(rng, words.WEEKDAYS, 3)
    adjectives = _some(rng, words.ADJECTIVES, 2)
    found = {"A": names[0], "B": names[1], "C": names[2], "he": he, "He": he.capitalize(), "his": his, "him": him}
    found |= {"item": words.singular(things[0]), "item2": words.singular(things[1]), "item3": words.singular(things[2])}
    found |= {"items": words.plural(things[0]), "items2": words.plural(things[1]), "items3": words.plural(things[2])}
    found |= {"box": words.singular(box), "boxes": words.plural(box), "place": _pick(rng, words.PLACES)}
    found |= {"shop": words.singular(_pick(rng, words.SHOPS)), "people": words.plural(_pick(rng, words.PEOPLE))}
    found |= {"day": days[0], "day2": days[1], "day3": days[2], "adj": adjectives[0], "adj2": adjectives[1]}
    found |= {"relative": _pick(rng, words.RELATIVES)}
    missing = slots - found.keys()
    if missing:
        raise KeyError(f"A form has the slots {sorted(missing)}, which are neither words nor numbers.")
    return found


def _some(rng: np.random.Generator, options: tuple[str, ...], n: int) -> list[str]:
    return [options[i] for i in rng.choice(len(options), n, replace=False)]
