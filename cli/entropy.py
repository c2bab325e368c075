"""``epf entropy``: runs a tool on a file of traces or arrays, and prints tables, JSON or a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from epf.cli.command import Command, Group, field_options, given_options
from epf.cli.view import printable
from epf.core.errors import InvalidRequest
from epf.core.extras import import_extra
from epf.entropy.core.schema import Result
from epf.entropy.registry import TOOLS
from epf.entropy.report import DPI, input_of
from epf.entropy.tooling.tool import AnyTool, Cell, Table
from epf.entropy.traces import read_rows

PIPED_WIDTH = 160
"""Columns of a table that goes into a file or another program."""


@click.group(
    cls=Group,
    invoke_without_command=True,
    examples=(
        "epf entropy",
        "epf entropy ranking docs/entropy/traces.jsonl --teacher right_steps",
        "epf entropy tokens docs/entropy/traces.jsonl --json",
    ),
)
@click.pass_context
def entropy(context: click.Context) -> int:
    """Answer questions about reasoning traces.

    Each tool reads a file of traces or of arrays. Without a tool, the tools and their questions are listed.
    """
    if context.invoked_subcommand is None:
        listed = tuple((tool.name, tool.question) for tool in TOOLS.values())
        _print([Table("epf entropy TOOL FILE answers a question about reasoning traces", ("tool", "question"), listed)])
    return 0


def _command(tool: AnyTool) -> Command:
    """The command of a tool, with an option for each field of its input that is not an array."""

    def callback(file: Path, as_json: bool, picture: Path | None, **_: Any) -> int:
        return _run(tool, click.get_current_context(), file, as_json=as_json, picture=picture)

    traces = "traces in JSON Lines, a result of a search with its particles, or " if tool.from_traces else ""
    output: list[click.Parameter] = [
        click.Argument(["file"], type=click.Path(path_type=Path)),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the answer as JSON."),
        click.Option(
            ["--plot", "picture"],
            type=click.Path(path_type=Path),
            metavar="PNG",
            help="Draw the answer into this file. Needs the extra `plots`.",
        ),
    ]
    return Command(
        tool.name,
        callback=callback,
        params=[*output, *field_options(tool.input, without=tool.arrays)],
        help=f"{tool.question}\n\nFILE holds {traces}one JSON object with {tool.needs}. Paper: {tool.paper}.",
        short_help=tool.question,
        examples=(f"epf entropy {tool.name} input.json --plot {tool.name}.png", f"epf entropy {tool.name} input.json --json"),
    )


for _tool in TOOLS.values():
    entropy.add_command(_command(_tool))


def _run(tool: AnyTool, context: click.Context, file: Path, *, as_json: bool, picture: Path | None) -> int:
    figures = import_extra("matplotlib.figure", "plots") if picture is not None else None
    answer: Result = tool.answer(input_of(tool, read_rows(file), given_options(context, tool.input)))
    if as_json:
        print(answer.model_dump_json())
    else:
        print(printable(tool.conclusion(answer)))
        _print(tool.tables(answer))
        for warning in answer.warnings:
            print(f"note: {printable(warning)}")
    if figures is not None and picture is not None:
        figure = figures.Figure(layout="constrained")
        tool.plot(answer, figure)
        _save(figure, picture)
    return 0


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, dpi=DPI)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"Cannot write the picture {path}: {error}.", param="plot") from None


def _print(tables: Sequence[Table]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    for table in tables:
        drawn = Drawn(title=Text(printable(table.title)), title_justify="left", box=SIMPLE)
        for i, name in enumerate(table.header):
            number = any(isinstance(row[i], int | float) for row in table.rows)
            drawn.add_column(Text(name), justify="right" if number else "left", overflow="fold")
        for row in table.rows:
            drawn.add_row(*(Text(printable(_written(cell))) for cell in row))
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
