"""The answer of a tool for a reader: what to conclude, tables and a picture, from the content of a file of traces or arrays."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from pydantic import BaseModel, Field, JsonValue, ValidationError

from epf.core.errors import NotInstalled
from epf.core.extras import import_extra
from epf.entropy.core.checks import first_error, refuse
from epf.entropy.core.schema import Strict
from epf.entropy.tooling.tool import AnyTool
from epf.entropy.traces import is_trace, rows_in, traces_of

DPI = 130
"""Resolution of pictures in dots per inch."""

SOURCE = "the file"


class ReportRequest(Strict):
    """The content of a file, and options of a tool."""

    file: str = Field(
        description="Traces in JSON Lines, results of searches with their particles, completions, or one object with the "
        "arrays of the tool: what `epf entropy` reads from a file."
    )
    options: dict[str, JsonValue] = Field(
        {}, description="Fields of the tool's input that are not in the file, such as `unit`."
    )


class TableOut(BaseModel):
    """A table."""

    title: str
    header: list[str]
    rows: list[list[str | int | float | bool | None]] = Field(
        description="One value for each column; null where it is missing."
    )


class EntropyReport(BaseModel):
    """The answer of a tool as a person reads it. `POST /entropy/{tool}` has the same answer as data."""

    conclusion: str = Field(description="The answer to the tool's question, in a sentence or two.")
    warnings: list[str] = Field(description="Caveats about this answer.")
    tables: list[TableOut]
    picture: str | None = Field(
        description="A PNG in base64; null if the server has no matplotlib, which the extra `plots` installs."
    )


def input_of(tool: AnyTool, rows: Sequence[tuple[int, dict[str, JsonValue]]], options: Mapping[str, Any]) -> Any:
    """The input of a tool from the rows of a file and its other fields.

    Raises:
        InvalidRequest: The rows are neither traces that the tool reads nor one object with its arrays.
    """
    _, first = rows[0]
    if is_trace(first):
        if tool.from_traces is None:
            raise refuse("file", f"has traces, but {tool.name} needs arrays", f"write {tool.needs} into it")
        given: dict[str, Any] = {"traces": traces_of(rows, apart=True)}
    elif len(rows) > 1:
        raise refuse("file", f"has {len(rows)} objects that are not traces", "give one object with arrays, or traces")
    else:
        given = first
    try:
        return tool.input(**{**given, **options})
    except ValidationError as error:
        raise first_error(error, tool.input.model_fields) from None


def report_of(tool: AnyTool, request: ReportRequest) -> EntropyReport:
    """Answers for the content of a file.

    Raises:
        InvalidRequest: The input is not valid.
        NotInstalled: A library that the tool needs is missing.
    """
    answer = tool.answer(input_of(tool, rows_in(request.file, SOURCE), request.options))
    tables = [
        TableOut(title=table.title, header=list(table.header), rows=[list(row) for row in table.rows])
        for table in tool.tables(answer)
    ]
    return EntropyReport(
        conclusion=tool.conclusion(answer), warnings=answer.warnings, tables=tables, picture=_picture(tool, answer)
    )


def _picture(tool: AnyTool, answer: Any) -> str | None:
    try:
        figure = import_extra("matplotlib.figure", "plots").Figure(layout="constrained")
    except NotInstalled:
        return None
    tool.plot(answer, figure)
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    return b64encode(drawn.getvalue()).decode()
