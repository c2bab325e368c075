"""``epf entropy``: asks a tool about a file of traces or arrays, and prints tables, JSON or a picture."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from epf.core.errors import InvalidRequest
from epf.core.extras import needed
from epf.entropy.core.checks import first_error, refuse
from epf.entropy.core.schema import Result
from epf.entropy.registry import TOOLS
from epf.entropy.tooling.tool import AnyTool, Cell, Table
from epf.entropy.traces import is_trace, read_rows, traces_of

PIPED_WIDTH = 160
"""Columns of a table that goes into a file or another program."""

_OPTION = "option_"


def add_tools(parser: argparse.ArgumentParser) -> None:
    """One command for each tool, with an option for each field of its input that is no array."""
    tools = parser.add_subparsers(dest="tool", metavar="TOOL")
    for tool in TOOLS.values():
        command = tools.add_parser(tool.name, help=tool.question, description=f"{tool.question} After: {tool.paper}.")
        traces = "traces in JSON Lines, a result of a search with its particles, or " if tool.from_traces else ""
        command.add_argument("file", type=Path, metavar="FILE", help=f"{traces}one JSON object with {tool.needs}")
        command.add_argument("--json", action="store_true", help="print the answer as JSON")
        command.add_argument("--plot", type=Path, metavar="PNG", help="draw the answer into this file (extra `plots`)")
        for name, field in tool.input.model_fields.items():
            if (kind := _kind(field.annotation)) is not None and name not in tool.arrays:
                told = (field.description or "").replace("%", "%%")
                default = "" if field.default in (None, []) else f" Default: {field.default}."
                command.add_argument(f"--{name.replace('_', '-')}", dest=f"{_OPTION}{name}", help=told + default, **kind)


def run(arguments: argparse.Namespace) -> int:
    """Answer, or without a tool list the tools."""
    if arguments.tool is None:
        listed = tuple((tool.name, tool.question) for tool in TOOLS.values())
        _print([Table("epf entropy TOOL FILE answers a question about reasoning traces", ("tool", "question"), listed)])
        return 0
    tool = TOOLS[arguments.tool]
    figures = needed("matplotlib.figure", "plots") if arguments.plot else None
    answer: Result = tool.answer(_input(tool, arguments))
    if arguments.json:
        print(answer.model_dump_json())
    else:
        _print(tool.tables(answer))
        for warning in answer.warnings:
            print(f"note: {warning}")
    if figures is not None:
        figure = figures.Figure(layout="constrained")
        tool.plot(answer, figure)
        _save(figure, arguments.plot)
    return 0


def _input(tool: AnyTool, arguments: argparse.Namespace) -> Any:
    rows = read_rows(arguments.file)
    options = {
        name.removeprefix(_OPTION): value
        for name, value in vars(arguments).items()
        if name.startswith(_OPTION) and value is not None
    }
    _, first = rows[0]
    if is_trace(first):
        if tool.from_traces is None:
            raise refuse("file", f"has traces, but {tool.name} needs arrays", f"write {tool.needs} into it")
        given: dict[str, Any] = {"traces": traces_of(rows)}
    elif len(rows) > 1:
        raise refuse("file", f"has {len(rows)} objects that are no traces", "give one object with arrays, or traces")
    else:
        given = first
    try:
        return tool.input(**{**given, **options})
    except ValidationError as error:
        raise first_error(error) from None


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"Cannot write the picture {path}: {error}.", param="plot") from None


def _print(tables: Sequence[Table]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    for table in tables:
        drawn = Drawn(title=table.title, title_justify="left", box=SIMPLE)
        for i, name in enumerate(table.header):
            number = any(isinstance(row[i], int | float) for row in table.rows)
            drawn.add_column(Text(name), justify="right" if number else "left", overflow="fold")
        for row in table.rows:
            drawn.add_row(*(Text(_written(cell)) for cell in row))
        console.print(drawn)


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float():
            return f"{cell:.4g}"
    return str(cell)


def _kind(hint: Any) -> dict[str, Any] | None:
    """How argparse reads a field of this type; None for one that is no option."""
    if get_origin(hint) in (Union, UnionType):
        hint, *more = (arm for arm in get_args(hint) if arm is not NoneType)
        if more:
            return None
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if hint == list[str]:
        return {"action": "append", "metavar": "TEXT"}
    if hint in (int, float, str):
        return {"type": hint, "metavar": {int: "N", float: "X", str: "TEXT"}[hint]}
    return None
