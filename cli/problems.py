"""Problems from a data file."""

from dataclasses import dataclass
from pathlib import Path

from epf.core.errors import InvalidRequest
from epf.problem_sets.files import read_rows
from epf.problem_sets.problem import read_text


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem and its row in the file, counted from 1; in JSON Lines the line."""

    row: int
    text: str


def read_problems(path: Path) -> list[ProblemRow]:
    """All problems of a file of rows with ``problem`` or ``question``; see :func:`epf.problem_sets.files.read_rows`.

    Raises:
        InvalidRequest: the file cannot be read, has no problem, or a row has no text.
        NotInstalled: the library that reads Parquet is missing.
    """
    found = [ProblemRow(number, read_text(values, where=f"Row {number} of {path}")) for number, values in read_rows(path)]
    if not found:
        raise InvalidRequest(f"{path} has no problems. Write one JSON object per line.", param="file")
    return found
