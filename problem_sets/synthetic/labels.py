"""Exact labels: whether a solution is still right after each token.

A prefix is right if it is the beginning of a right solution. The right solutions of a problem are its lines of arithmetic in
order, with the operands of + and * in either order, followed by the closing line with the answer.
"""

import re

from epf.problem_sets.synthetic.problem import SyntheticProblem

_SWAPPABLE = re.compile(r"^(\d+) ([+*]) (\d+) = (\d+)\.$")


def _variants(line: str) -> tuple[str, ...]:
    match = _SWAPPABLE.match(line)
    return (line, f"{match[3]} {match[2]} {match[1]} = {match[4]}.") if match else (line,)


def step_labels(problem: SyntheticProblem, steps: tuple[str, ...]) -> list[bool]:
    """Return for each step whether it and all steps before it are right; same length as ``steps``."""
    right, labels = True, []
    for i, step in enumerate(steps):
        right = right and i < len(problem.solution) and step in _variants(problem.solution[i])
        labels.append(right)
    return labels


def is_right_so_far(problem: SyntheticProblem, steps: tuple[str, ...]) -> bool:
    """Whether all of these steps, at least one, are right."""
    return step_labels(problem, steps)[-1]


def right_characters(problem: SyntheticProblem, steps: tuple[str, ...]) -> list[int]:
    """Return for each step the number of its leading characters that are right; all of them if the step is right."""
    right, counts = True, []
    for i, step in enumerate(steps):
        if not right or i >= len(problem.solution):
            counts.append(0)
            right = False
            continue
        n = max(_common(step, variant) for variant in _variants(problem.solution[i]))
        counts.append(n)
        right = step in _variants(problem.solution[i])
    return counts


def _common(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
