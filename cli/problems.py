"""Problems from a JSON Lines file."""

import json
from dataclasses import dataclass
from pathlib import Path

from epf.core.errors import InvalidRequest

FIELDS = ("problem", "question")


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem and its line in the file, counted from 1."""

    row: int
    text: str


def read_problems(path: Path) -> list[ProblemRow]:
    """All problems of a file of JSON objects with ``problem`` or ``question``; blank lines are skipped.

    Raises:
        InvalidRequest: the file cannot be read, has no problem, or a row is not such an object.
    """
    try:
        with path.open(encoding="utf-8") as file:
            rows = [(row, line) for row, line in enumerate(file, start=1) if line.strip()]
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="file") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text. Save it as UTF-8.", param="file") from error
    if not rows:
        raise InvalidRequest(f"{path} has no problems. Write one JSON object per line.", param="file")
    return [ProblemRow(row, _text(path, row, line)) for row, line in rows]


def _text(path: Path, row: int, line: str) -> str:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise InvalidRequest(f"Row {row} of {path} is not valid JSON: {error}.", param="file") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"Row {row} of {path} must be a JSON object with a field `problem`.", param="file")
    field = next((name for name in FIELDS if name in value), None)
    if field is None:
        raise InvalidRequest(f"Row {row} of {path} has neither `problem` nor `question`. Add one of them.", param="problem")
    text = value[field]
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(f"Row {row} of {path}: `{field}` must be a string with text.", param=field)
    return text
