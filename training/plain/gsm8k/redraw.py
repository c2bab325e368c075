"""New numbers for a template, such that the problem keeps its sense.

Whole results stay whole, positive ones positive, numbers below one below one; a number keeps its size, its decimals and its
roundness; a percentage stays one. A random walk from the original numbers tries one slot at a time, so that it always ends with
numbers that work.
"""

import numpy as np

from epf.training.plain.gsm8k.program import run, value_of
from epf.training.plain.gsm8k.slots import Slot
from epf.training.plain.gsm8k.template import Template
from epf.training.plain.problem import DECIMALS, PlainProblem, operation_lines, show

_SWEEPS = 2
_TRIES = 12


def redraw(rng: np.random.Generator, template: Template) -> PlainProblem:
    """Return the template's problem with new numbers.

    Raises:
        ValueError: the original numbers cannot be written, since one of them has too many decimals.
    """
    givens = [slot.value for slot in template.slots]
    original = run(template.program, givens)
    movable = sorted(template.used)
    for _ in range(_SWEEPS):
        for index in rng.permutation(movable):
            for _ in range(_TRIES):
                tried = givens.copy()
                tried[index] = _near(rng, template, template.slots[index])
                if tried[index] != givens[index] and _makes_sense(template, tried, original):
                    givens = tried
                    break
    results = run(template.program, givens)
    lines: list[str] = []
    for operation in template.program:
        a, b = value_of(operation.left, givens, results), value_of(operation.right, givens, results)
        lines += operation_lines(a, operation.op, b)
    text = template.filled({index: template.slots[index].write(givens[index]) for index in movable})
    return PlainProblem(text, tuple(lines), show(results[-1]))


def _near(rng: np.random.Generator, template: Template, slot: Slot) -> float:
    """Draw a number of the size of the slot's."""
    value = slot.value
    if slot.decimals < 0:
        return float(rng.integers(2, 13 if value < 13 else 21))
    if slot.is_percentage(template.text):
        if value > 100:
            return value
        return float(rng.integers(1, 20) * 5) if value % 5 == 0 else float(rng.integers(1, 100))
    if slot.decimals:
        unit = 10.0**-slot.decimals
        step = 5 if round(value / unit) % 5 == 0 else 1
        return round(
            float(rng.integers(max(1, int(value / unit / step / 3)), int(3 * value / unit / step) + 2)) * step * unit, 6
        )
    if value < 13:
        return value if value < 2 else float(rng.integers(2, 13 if rng.random() < 0.8 else 21))
    unit = next(unit for unit in (10_000, 1000, 100, 50, 10, 5, 1) if value % unit == 0)
    if rng.random() < 0.2:
        unit = 1 if unit <= 10 else 10
    low, high = max(10, value / 4), min(value * 4, 99_999) if value < 25_000 else value * 2
    return float(rng.integers(int(low / unit), int(high / unit) + 1) * unit) or value


def _makes_sense(template: Template, givens: list[float], original: list[float]) -> bool:
    """Whether the results are of the same kind as with the original numbers."""
    try:
        results = run(template.program, givens)
    except ZeroDivisionError:
        return False
    for new, old in zip(results, original, strict=True):
        if new <= 0 < old or new < 0 <= old or ((new > 1) != (old > 1) and old != 1) or new > 999_999:
            return False
        if float(old).is_integer() and not float(new).is_integer():
            return False
        if abs(round(new, DECIMALS) - new) > 1e-9:
            return False
    return True
