r"""A problem with its gold answer, and the row formats that are accepted.

The native format is ``{"id", "problem", "answer"}``; :mod:`epf.problem_sets.columns` has other names of these columns. The gold
answer is what :func:`~epf.search.answers.extract.final_answer` finds in ``answer``, as in a solution, or all of ``answer`` if
it states none; without ``answer``, what it finds in ``solution``. The gold answer of a problem that cannot be answered is
:data:`~epf.search.answers.conclusion.NOT_ENOUGH`, which any sentence to that effect stands for.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from epf.core.errors import InvalidRequest
from epf.problem_sets.columns import NAMES, USUAL, Cell, Columns, find_cell, listed
from epf.search.answers.conclusion import NOT_ENOUGH, conclusion
from epf.search.answers.extract import MARK
from epf.search.answers.vocabulary import MISSING

_MAX_PLACES = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: its id in the rows of a run, its text, and its gold answer.

    ``is_right_so_far`` states whether the steps of a partial solution are all right, where that is known; None elsewhere.
    """

    id: str
    text: str
    gold: str
    is_right_so_far: Callable[[tuple[str, ...]], bool] | None = field(default=None, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """A hash of text and gold answer, which distinguishes two problems with the same id."""
        return hashlib.blake2b(f"{self.text}\0{self.gold}".encode(), digest_size=8).hexdigest()


def read_problem(row: Mapping[str, Any], *, where: str, columns: Columns = USUAL) -> Problem:
    """Read the problem in a row of a data set; its id is empty if the row has none.

    ``where`` names the row in error messages; ``columns`` maps fields to columns.

    Raises:
        InvalidRequest: the text or the gold answer is missing, has the wrong type, or is ambiguous.
    """
    text = read_text(row, where=where, columns=columns)
    identifier = find_cell(row, "id", where, columns)
    if identifier is not None:
        _check_characters(str(identifier.value), identifier.column, where)
    return Problem("" if identifier is None else str(identifier.value), text, _gold(row, where, columns))


def read_text(row: Mapping[str, Any], *, where: str, columns: Columns = USUAL) -> str:
    """Read the text of a problem, which need not have an answer. Raises as :func:`read_problem`.

    SVAMP splits a story into ``Body`` and ``Question``, which are joined.
    """
    cell = find_cell(row, "problem", where, columns)
    if cell is None:
        null = next((column for column in row if column.lower() in NAMES["problem"]), None)
        if null is not None:
            raise InvalidRequest(f"{where}: `{null}` is null: write the problem there.", param=null)
        fix = "Add it, or name its column with --columns problem=COLUMN of `epf eval`."
        raise InvalidRequest(f"{where} has no field `problem` (or `question`). {listed(row)} {fix}", param="problem")
    if not isinstance(cell.value, str) or not cell.value.strip():
        raise InvalidRequest(f"{where}: `{cell.column}` must be a string that is not blank.", param=cell.column)
    _check_characters(cell.value, cell.column, where)
    body = find_cell(row, "body", where, columns)
    if "problem" in columns or cell.column.lower() != "question" or body is None or not isinstance(body.value, str):
        return cell.value.strip()
    _check_characters(body.value, body.column, where)
    return f"{body.value.strip()} {cell.value.strip()}"


def with_ids(problems: Iterable[tuple[int, Problem]], source: str) -> list[Problem]:
    """Return the problems of numbered rows; the number of its row is the id of a problem without one.

    Raises:
        InvalidRequest: there are no problems, or two rows have the same id.
    """
    found = list(problems)
    if not found:
        raise InvalidRequest(f"{source} has no problems.", param="dataset")
    rows: dict[str, int] = {}
    for number, problem in found:
        if problem.id in rows and problem.id:
            message = f"Rows {rows[problem.id]} and {number} of {source} have the same id {problem.id!r}. Make the ids unique."
            raise InvalidRequest(message, param="dataset")
        rows[problem.id] = number
    return [p if p.id else replace(p, id=f"row {n}" if str(n) in rows else str(n)) for n, p in found]


def _gold(row: Mapping[str, Any], where: str, columns: Columns) -> str:
    cell = find_cell(row, "answer", where, columns)
    if cell is None and "answer" not in columns:
        solution = find_cell(row, "solution", where, columns)
        if solution is not None and isinstance(solution.value, str):
            return _stated(solution, where)
    if cell is None:
        name = columns.get("answer", "answer")
        fix = (
            "Add it, or name its column with --columns answer=COLUMN of `epf eval`. "
            f'If the problem cannot be answered, write "{NOT_ENOUGH}".'
        )
        raise InvalidRequest(
            f"{where} has no gold answer in `{name}`, which must be a string or a number. {fix}", param="answer"
        )
    if isinstance(cell.value, str):
        return _text_gold(cell, where)
    if isinstance(cell.value, bool) or not isinstance(cell.value, int | float | Decimal):
        kind = type(cell.value).__name__
        raise InvalidRequest(f"{where}: `{cell.column}` must be a string or a number, got {kind}.", param=cell.column)
    if not Decimal(cell.value).is_finite():
        message = f"{where}: `{cell.column}` is {cell.value}, which is no answer. Remove the row or write its answer."
        raise InvalidRequest(message, param=cell.column)
    return _spelled(cell.value)


def _text_gold(cell: Cell, where: str) -> str:
    text = cell.value.strip()
    if not text or text.lower() in MISSING:
        message = f"{where}: `{cell.column}` is {'empty' if not text else repr(text)}, which is no answer. Write the answer."
        raise InvalidRequest(message, param=cell.column)
    _check_characters(text, cell.column, where)
    gold = conclusion(text)
    if gold is None and MARK in text:
        raise InvalidRequest(f"{where}: `{cell.column}` has {MARK} without an answer after it.", param=cell.column)
    return text if gold is None else gold


def _stated(solution: Cell, where: str) -> str:
    _check_characters(solution.value, solution.column, where)
    gold = conclusion(solution.value)
    if gold is None:
        fix = "End it with \\boxed{}, or add the gold answer as `answer`."
        raise InvalidRequest(f"{where}: `{solution.column}` states no answer. {fix}", param=solution.column)
    return gold


def _spelled(number: float | Decimal) -> str:
    """A number without an exponent and otherwise as the file spells it, but 145.0, as of a column of floats, is 145."""
    if isinstance(number, int):
        return str(number)
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    if abs(exact.adjusted()) > _MAX_PLACES:
        return str(exact)
    return format(exact, "f").removesuffix(".0")


def _check_characters(text: str, column: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        message = f"{where}: character {error.start + 1} of `{column}` is {half}, half of a surrogate pair. Write both halves."
        raise InvalidRequest(message, param=column) from None
