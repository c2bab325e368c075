"""Solutions to score: their steps, from the command line or from a data file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epf.core.errors import InvalidRequest
from epf.problem_sets.files import read_rows
from epf.problem_sets.problem import read_text

SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Solution:
    """A problem and the steps of a solution; ``row`` is its row in the file, counted from 1."""

    row: int
    problem: str
    steps: tuple[str, ...]


def steps_of(texts: Iterable[object], *, where: str) -> tuple[str, ...]:
    """All steps of ``texts``, in which blank lines separate steps.

    Raises:
        InvalidRequest: something is not a text, or there is no step.
    """
    steps: list[str] = []
    for text in texts:
        if not isinstance(text, str):
            raise InvalidRequest(f"{where}: a step must be a text, got {type(text).__name__}.", param="steps")
        steps += [part.strip("\n") for part in text.split(SEPARATOR) if part.strip()]
    if not steps:
        raise InvalidRequest(f"{where} has no step. Write at least one.", param="steps")
    return tuple(steps)


def read_solutions(path: Path) -> list[Solution]:
    """All solutions of a file of rows with a problem and ``steps`` (a list) or ``solution`` (a text).

    Raises:
        InvalidRequest: the file cannot be read, has no rows, or a row lacks a problem or steps.
        NotInstalled: the library that reads Parquet is missing.
    """
    found = [_solution(number, values, f"Row {number} of {path}") for number, values in read_rows(path)]
    if not found:
        raise InvalidRequest(f"{path} has no solutions. Write one JSON object per line.", param="file")
    return found


def _solution(number: int, values: Mapping[str, Any], where: str) -> Solution:
    problem = read_text(values, where=where)
    steps, solution = values.get("steps"), values.get("solution")
    if isinstance(steps, list):
        return Solution(number, problem, steps_of(steps, where=where))
    if isinstance(solution, str):
        return Solution(number, problem, steps_of([solution], where=where))
    message = f"{where} has neither a list `steps` nor a text `solution`: add one of them."
    raise InvalidRequest(message, param="steps")
