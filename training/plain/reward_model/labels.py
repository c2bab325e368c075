"""Labels of solutions: a step is right if it and all steps before it begin a right solution.

Right solutions are the known one and the sampled ones that end with its answer. Real wordings have more than one way to the
answer, and a sample that reached it shows one (the hard estimate of "Math-Shepherd", arXiv 2312.08935, with shared prefixes).
"""

import re
from collections.abc import Sequence

from epf.training.plain.problem import PlainProblem

Steps = tuple[str, ...]
_SWAPPABLE = re.compile(r"^([\d.]+) ([+*]) ([\d.]+) = ")


def right_solutions(problem: PlainProblem, solutions: Sequence[Steps]) -> list[Steps]:
    """Return the known solution and those of ``solutions`` that end as it does."""
    return [problem.solution, *(steps for steps in solutions if steps and steps[-1] == problem.solution[-1])]


def right_characters(right: Sequence[Steps], steps: Steps) -> list[int]:
    """Return for each step the number of its leading characters that are right; all of them if the step is right."""
    open_, counts = list(right), []
    for i, step in enumerate(steps):
        variants = [variant for solution in open_ if len(solution) > i for variant in _variants(solution[i])]
        counts.append(max((_common(step, variant) for variant in variants), default=0))
        open_ = [solution for solution in open_ if len(solution) > i and step in _variants(solution[i])]
    return counts


def _variants(line: str) -> Steps:
    """Return a line, and the same line with the operands of a sum or a product in the other order."""
    match = _SWAPPABLE.match(line)
    return (line, f"{match[3]} {match[2]} {match[1]} = {line[match.end() :]}") if match else (line,)


def _common(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
