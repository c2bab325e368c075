r"""A problem with its gold answer, and the row formats that are accepted.

The native format is ``{"id", "problem", "answer"}``. ``question`` is accepted in place of ``problem``, and ``unique_id`` in
place of ``id``. If ``answer`` ends with GSM8K's ``#### 18`` or contains a ``\boxed{}``, only that part is kept; without
``answer``, the box of ``solution`` is taken.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from epf.core.errors import InvalidRequest
from epf.search.answers.extract import final_answer

TEXT_FIELDS = ("problem", "question")
ID_FIELDS = ("id", "unique_id")
GSM8K_MARK = "####"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: its id in the rows of a run, its text, and its gold answer."""

    id: str
    text: str
    gold: str

    @property
    def digest(self) -> str:
        """A hash of text and gold answer, which distinguishes two problems with the same id."""
        return hashlib.blake2b(f"{self.text}\0{self.gold}".encode(), digest_size=8).hexdigest()


def read_problem(row: Mapping[str, Any], *, where: str, number: int) -> Problem:
    """Read the problem in a row of a data set.

    ``where`` names the row in error messages; ``number`` is the id of a row that has none.

    Raises:
        InvalidRequest: the text or the gold answer is missing or has the wrong type.
    """
    field = next((field for field in TEXT_FIELDS if field in row), None)
    if field is None:
        raise InvalidRequest(f"{where} has no field `problem` (or `question`): add it.", param="problem")
    text = row[field]
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(f"{where}: `{field}` must be a string that is not blank.", param=field)
    identifier = next((row[field] for field in ID_FIELDS if row.get(field) is not None), number)
    return Problem(str(identifier), text.strip(), _gold(row, where))


def with_distinct_ids(problems: Iterable[Problem], source: str) -> list[Problem]:
    """Return the problems as a list.

    Raises:
        InvalidRequest: there are no problems, or two have the same id.
    """
    found = list(problems)
    if not found:
        raise InvalidRequest(f"{source} has no problems.", param="dataset")
    seen: set[str] = set()
    for problem in found:
        if problem.id in seen:
            raise InvalidRequest(f"{source} has two problems with the id {problem.id!r}: make the ids unique.", param="dataset")
        seen.add(problem.id)
    return found


def _gold(row: Mapping[str, Any], where: str) -> str:
    answer = row.get("answer")
    if answer is None and isinstance(row.get("solution"), str):
        boxed = final_answer(row["solution"])
        if boxed is None:
            raise InvalidRequest(
                f"{where}: `solution` contains no \\boxed{{}}. Add the gold answer as `answer`.", param="solution"
            )
        return boxed
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        raise InvalidRequest(f"{where} needs the gold answer as `answer`, a string or a number.", param="answer")
    is_small_integer = isinstance(answer, float) and answer.is_integer() and abs(answer) < 1e6
    text = f"{answer:g}" if is_small_integer else str(answer)
    gold = text.rsplit(GSM8K_MARK, 1)[1] if GSM8K_MARK in text else final_answer(text) or text
    if not gold.strip():
        raise InvalidRequest(f"{where}: `answer` is empty.", param="answer")
    return gold.strip()
