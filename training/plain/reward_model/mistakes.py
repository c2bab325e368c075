"""Hard negatives for the pair ``plain``: a right solution with one mistake of a kind that models make.

The steps after the mistake are consistent with it, so that only the mistake gives the solution away.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from epf.training.plain.problem import NOT_ENOUGH, PlainProblem, compute, show

_LINE = re.compile(r"([\d.]+) ([-+*/]) ([\d.]+) = ([\d.]+)\.")
_OTHER = MappingProxyType({"+": "-", "-": "+", "*": "+", "/": "*"})
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
Line = tuple[str, str, str, str]
"""Left operand, operation, right operand and result, as they are written."""


def mistaken(rng: np.random.Generator, problem: PlainProblem) -> tuple[str, ...]:
    """Return the steps of a wrong solution with its first mistake at an evenly drawn step."""
    in_text = [number.replace(",", "") for number in _NUMBER.findall(problem.text)] or ["1"]
    if problem.answer is None:
        return _invented(rng, in_text)
    if rng.random() < 0.04:
        return (NOT_ENOUGH,)
    lines: list[Line] = [(m[1], m[2], m[3], m[4]) for m in map(_LINE.fullmatch, problem.lines) if m is not None]
    where = int(rng.integers(len(lines) + 1))
    if where == len(lines):
        results = [result for *_, result in lines if result != problem.answer]
        others = [number for number in (*results, *in_text) if number != problem.answer] or [slip(rng, problem.answer)]
        wrong = slip(rng, problem.answer) if rng.random() < 0.4 else others[int(rng.integers(len(others)))]
        return (*problem.lines, _closing(wrong))
    if where and rng.random() < 0.1:
        return (*problem.lines[:where], _closing(lines[where - 1][3]))
    kind = list(_MISTAKES)[int(rng.choice(len(_MISTAKES), p=[share for _, share in _MISTAKES.values()]))]
    changed = _MISTAKES[kind][0](rng, lines[where], in_text)
    if changed is None or changed[3] == lines[where][3]:
        a, op, b, c = lines[where]
        changed = (a, op, b, slip(rng, c))
    return (*problem.lines[:where], _text(changed), *_consistent(lines[where][3], changed[3], lines[where + 1 :]))


def slip(rng: np.random.Generator, number: str) -> str:
    """Return a number near the right one: a digit off by one, another digit, or two digits swapped."""
    digits = [i for i, character in enumerate(number) if character.isdigit()]
    while True:
        place, kind, found = digits[int(rng.integers(len(digits)))], rng.random(), list(number)
        if kind < 0.5:
            found[place] = str((int(found[place]) + int(rng.choice([-1, 1]))) % 10)
        elif kind < 0.7 and len(digits) > 1:
            other = digits[(digits.index(place) + 1) % len(digits)]
            found[place], found[other] = found[other], found[place]
        else:
            found[place] = str(int(rng.integers(10)))
        wrong = show(float("".join(found)))
        if wrong != number:
            return wrong


def _invented(rng: np.random.Generator, in_text: list[str]) -> tuple[str, ...]:
    """Return an answer to a problem that has none: a number of the text, or an operation on two numbers."""
    first, second = (in_text[int(rng.integers(len(in_text)))] for _ in range(2))
    line = _applied(first, "+-*"[int(rng.integers(3))], second)
    return (_closing(first),) if line is None or rng.random() < 0.3 else (_text(line), _closing(line[3]))


def _consistent(right: str, wrong: str, rest: list[Line]) -> tuple[str, ...]:
    """Return the remaining lines and the closing step, computed on with a wrong result instead of the right one."""
    changed, result, steps = {right: wrong}, wrong, []
    for a, op, b, c in rest:
        line = _applied(changed.get(a, a), op, changed.get(b, b)) or (a, op, b, c)
        steps.append(_text(line))
        changed[c] = result = line[3]
    return (*steps, _closing(result))


def _applied(a: str, op: str, b: str) -> Line | None:
    """Return the line of an operation; ``None`` if the result is negative or has too many decimals."""
    try:
        result = compute(float(a), op, float(b))
        return None if result < 0 else (a, op, b, show(result))
    except (ValueError, ZeroDivisionError):
        return None


def _wrong_result(rng: np.random.Generator, line: Line, in_text: list[str]) -> Line | None:
    return (*line[:3], slip(rng, line[3]))


def _other_operation(rng: np.random.Generator, line: Line, in_text: list[str]) -> Line | None:
    return _applied(line[0], _OTHER[line[1]], line[2])


def _other_number(rng: np.random.Generator, line: Line, in_text: list[str]) -> Line | None:
    other = in_text[int(rng.integers(len(in_text)))] if rng.random() < 0.7 else slip(rng, line[2])
    return _applied(line[0], line[1], other) if rng.random() < 0.6 else _applied(other, line[1], line[2])


_MISTAKES: Mapping[str, tuple[Callable[[np.random.Generator, Line, list[str]], Line | None], float]] = MappingProxyType(
    {
        "wrong result": (_wrong_result, 0.4),
        "other operation": (_other_operation, 0.3),
        "other number": (_other_number, 0.3),
    }
)


def _text(line: Line) -> str:
    a, op, b, c = line
    return f"{a} {op} {b} = {c}."


def _closing(answer: str) -> str:
    return f"The answer is \\boxed{{{answer}}}."
