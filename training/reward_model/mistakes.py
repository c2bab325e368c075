"""Hard negatives: a right solution with one mistake of a kind that models make, and consistent steps after it."""

import re

import numpy as np

from epf.problem_sets.synthetic.problem import SyntheticProblem

_LINE = re.compile(r"^(\d+) ([-+*/]) (\d+) = (\d+)\.$")
_OTHER = {"+": "-", "-": "+", "*": "+", "/": "-"}


def _apply(a: int, op: str, b: int) -> int:
    return {"+": a + b, "-": max(a - b, 0), "*": a * b, "/": a // max(b, 1)}[op]


def _slip(rng: np.random.Generator, number: int) -> int:
    """Return a number near the right one: a digit off by one, a lost carry, two swapped digits."""
    digits = list(str(number))
    kind = rng.random()
    place = int(rng.integers(len(digits)))
    if kind < 0.45:
        digits[place] = str((int(digits[place]) + int(rng.choice([-1, 1]))) % 10)
    elif kind < 0.65:
        return max(0, number + int(rng.choice([-10, 10, -100, 100, -20, 2, -2])))
    elif kind < 0.75 and len(digits) > 1:
        other = (place + 1) % len(digits)
        digits[place], digits[other] = digits[other], digits[place]
    else:
        digits[place] = str(int(rng.integers(10)))
    return int("".join(digits))


def mistaken(rng: np.random.Generator, problem: SyntheticProblem) -> tuple[str, ...]:
    """Return the steps of a wrong solution, with its first mistake at an evenly drawn line (possibly the closing one)."""
    in_text = [int(n) for n in re.findall(r"\d+", problem.text)]
    lines = [(int(m[1]), m[2], int(m[3]), int(m[4])) for m in map(_LINE.match, problem.lines) if m]
    where = int(rng.integers(len(lines) + 1))
    if where == len(lines):
        wrong = _slip(rng, problem.answer) if rng.random() < 0.5 else int(rng.choice([*in_text, *(line[3] for line in lines)]))
        return (*problem.lines, f"The answer is \\boxed{{{wrong}}}.")
    kind = rng.random()
    if kind < 0.08 and where:  # stops early
        return (*problem.lines[:where], f"The answer is \\boxed{{{lines[where - 1][3]}}}.")
    steps = list(problem.lines[:where])
    changed: dict[int, int] = {}
    rest = lines[where:]
    a, op, b, c = rest[0]
    if kind < 0.58:
        wrong_result = _slip(rng, c)
    elif kind < 0.73:
        new = int(rng.choice(in_text)) if in_text and rng.random() < 0.6 else _slip(rng, b)
        b, wrong_result = new, _apply(a, op, new)
    elif kind < 0.80:
        new = _slip(rng, a)
        a, wrong_result = new, _apply(new, op, b)
    elif kind < 0.92:
        op = _OTHER[op]
        wrong_result = _apply(a, op, b)
    else:  # omits the line
        changed[c] = a
        rest = rest[1:]
        wrong_result = a
        a, op = 0, ""
    if op:
        steps.append(f"{a} {op} {b} = {wrong_result}.")
        changed[c] = wrong_result
        rest = rest[1:]
    value = wrong_result
    for a, op, b, c in rest:
        a, b = changed.get(a, a), changed.get(b, b)
        value = _apply(a, op, b)
        steps.append(f"{a} {op} {b} = {value}.")
        changed[c] = value
    return (*steps, f"The answer is \\boxed{{{value}}}.")
