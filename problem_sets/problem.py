r"""A problem with its right answer, and the forms in which data sets write them.

Ours is ``{"id", "problem", "answer"}``. ``question`` may stand for ``problem``, ``unique_id`` for ``id``. An ``answer`` that
ends with GSM8K's ``#### 18`` or holds a ``\boxed{}`` is cut down to that; without an ``answer`` the box of ``solution`` is
taken.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from epf.core.errors import InvalidRequest
from epf.search.answers.extract import boxed_answer

TEXTS = ("problem", "question")
IDS = ("id", "unique_id")
GSM8K_MARK = "####"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: how rows name it, its text, and the answer that counts as right."""

    id: str
    text: str
    gold: str

    @property
    def digest(self) -> str:
        """Tells two problems of one name apart."""
        return hashlib.blake2b(f"{self.text}\0{self.gold}".encode(), digest_size=8).hexdigest()


def problem_of(row: Mapping[str, Any], *, where: str, number: int) -> Problem:
    """The problem that a row of a data set holds. ``where`` names the row in errors, ``number`` it where it has no id.

    Raises:
        InvalidRequest: there is no text or no answer, or it is of another type.
    """
    name = next((name for name in TEXTS if name in row), None)
    if name is None:
        raise InvalidRequest(f"{where} has no field `problem` (or `question`): add it.", param="problem")
    text = row[name]
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(f"{where}: `{name}` must be a text that is not blank.", param=name)
    given = next((row[name] for name in IDS if row.get(name) is not None), number)
    return Problem(str(given), text.strip(), _gold(row, where))


def distinct(problems: Iterable[Problem], source: str) -> list[Problem]:
    """The problems as a list.

    Raises:
        InvalidRequest: there is none, or two have one id.
    """
    found = list(problems)
    if not found:
        raise InvalidRequest(f"{source} has no problems.", param="dataset")
    seen: set[str] = set()
    for problem in found:
        if problem.id in seen:
            raise InvalidRequest(f"{source} has two problems with the id {problem.id!r}: give each its own.", param="dataset")
        seen.add(problem.id)
    return found


def _gold(row: Mapping[str, Any], where: str) -> str:
    given = row.get("answer")
    if given is None and isinstance(row.get("solution"), str):
        boxed = boxed_answer(row["solution"])
        if boxed is None:
            raise InvalidRequest(
                f"{where}: `solution` has no \\boxed{{}}; write the right answer as `answer`.", param="solution"
            )
        return boxed
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InvalidRequest(f"{where} needs the right answer as `answer`, a text or a number.", param="answer")
    text = f"{given:g}" if isinstance(given, float) and given.is_integer() and abs(given) < 1e6 else str(given)
    gold = text.rsplit(GSM8K_MARK, 1)[1] if GSM8K_MARK in text else boxed_answer(text) or text
    if not gold.strip():
        raise InvalidRequest(f"{where}: `answer` is empty.", param="answer")
    return gold.strip()
