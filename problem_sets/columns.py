"""Which column of a row holds what: by the names that data sets use, or as a command maps them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from epf.core.errors import InvalidRequest

NAMES: Mapping[str, tuple[str, ...]] = {
    "problem": ("problem", "question"),
    "answer": ("answer",),
    "solution": ("solution",),
    "id": ("id", "unique_id"),
    "body": ("body",),
}
"""Names of the columns of each field, in lower case; they match without regard to case."""

MAPPED = ("problem", "answer", "id")
"""Fields whose column a command may name."""

Columns = Mapping[str, str]
"""Column of each field that is not found by its usual name."""

USUAL: Columns = MappingProxyType({})
"""All fields are found by their usual names."""


class Cell(NamedTuple):
    """A value that is not null, and the column that it stands in."""

    column: str
    value: Any


def parse_columns(text: str) -> dict[str, str]:
    """Parse ``problem=Problem,answer=Answer``.

    Raises:
        InvalidRequest: a field is unknown or occurs twice, or a column has no name.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        field, _, column = (side.strip() for side in part.partition("="))
        if field not in MAPPED or not column or field in found:
            message = f"--columns: {part.strip()!r} is not FIELD=COLUMN. Name each of {', '.join(MAPPED)} at most once."
            raise InvalidRequest(message, param="columns")
        found[field] = column
    return found


def find_cell(row: Mapping[str, Any], field: str, where: str, columns: Columns) -> Cell | None:
    """The cell of ``field`` in a row; None if its column is missing or null.

    Raises:
        InvalidRequest: a mapped column is missing, or several columns with different values could be meant.
    """
    if field in columns:
        column = columns[field]
        if column not in row:
            raise InvalidRequest(f"{where} has no column {column!r}. {listed(row)}", param="columns")
        return None if row[column] is None else Cell(column, row[column])
    found = [Cell(column, row[column]) for column in row if column.lower() in NAMES[field] and row[column] is not None]
    found.sort(key=lambda cell: NAMES[field].index(cell.column.lower()))
    if field == "id" and found:
        found = [cell for cell in found if cell.column.lower() == found[0].column.lower()]
    if any(cell.value != found[0].value for cell in found[1:]):
        names = " and ".join(f"`{cell.column}`" for cell in found)
        raise InvalidRequest(
            f"{where} has {names}. Keep one, or choose with --columns {field}={found[0].column} of `epf eval`.", param=field
        )
    return found[0] if found else None


def listed(row: Mapping[str, Any]) -> str:
    """A sentence with the columns of a row."""
    return f"It has {', '.join(repr(column) for column in row) or 'no columns'}."
