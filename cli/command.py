"""Commands whose help has headings and examples, and options that are made from the fields of a pydantic model."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

WIDTH = 110
"""Maximum number of columns of a help page."""

OPTIONS = "Options"


class Option(click.Option):
    """An option that the help page lists under ``heading``."""

    def __init__(self, *arguments: Any, heading: str = OPTIONS, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.heading = heading


class Command(click.Command):
    """A command whose help page groups the options under their headings and ends with examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.context_settings = {"max_content_width": WIDTH, "help_option_names": ["-h", "--help"]}
        self.examples = tuple(examples)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of each heading together."""
        groups: dict[str, list[tuple[str, str]]] = defaultdict(list, {OPTIONS: []})
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                groups[parameter.heading if isinstance(parameter, Option) else OPTIONS].append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each as one line that can be copied."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Group(Command, click.Group):
    """A group of commands whose help page ends with examples."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; for an unknown one, suggest the closest name."""
        name = args[0]
        if not ctx.resilient_parsing and name not in self.list_commands(ctx):
            close = get_close_matches(name, self.list_commands(ctx), n=1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)


def escaped(text: str) -> str:
    r"""Text in which ``\n`` and ``\t``, as typed in a shell, mean newline and tab."""
    return text.replace(r"\n", "\n").replace(r"\t", "\t")


def field_options(
    model: "type[BaseModel]",
    *,
    without: Collection[str] = (),
    heading: str = OPTIONS,
    text: Callable[[str], str] = str,
) -> list[click.Parameter]:
    """One option for each field of a model that a command line can hold: name, type, limits, description and default.

    Args:
        model: its fields that are arrays of numbers, objects, or unions of several types have no option.
        without: names of other fields that have none.
        heading: under which the help page lists the options; those for research (``x-research``) have one of their own.
        text: reads the value of a text option.
    """
    found: list[click.Parameter] = []
    for name, field in model.model_fields.items():
        if name not in without and (settings := _settings(field, text)) is not None:
            flag = name.replace("_", "-")
            spelling = f"--{flag}/--no-{flag}" if settings["type"] is click.BOOL else f"--{flag}"
            research = isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-research")
            under = f"{heading} for research" if research else heading
            found.append(Option([spelling, name], heading=under, help=field.description, **settings))
    return found


def given_options(context: click.Context, model: "type[BaseModel]") -> dict[str, Any]:
    """Values of the fields of ``model`` that the command line names: those of :func:`field_options`, without defaults."""
    named = [name for name in model.model_fields if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    lists = {name for name in named if get_origin(_plain(model.model_fields[name].annotation, ())[0]) is list}
    return {name: list(context.params[name]) if name in lists else context.params[name] for name in named}


def _settings(field: "FieldInfo", text: Callable[[str], str]) -> dict[str, Any] | None:
    """Type, default and number of values of a field's option; None for a field that has none."""
    hint, limits = _plain(field.annotation, field.metadata)
    choices = get_args(hint) if get_origin(hint) is Literal else None
    if isinstance(field.json_schema_extra, dict) and isinstance(names := field.json_schema_extra.get("enum"), list):
        choices = tuple(map(str, names))
    several = get_origin(hint) in (list, tuple)
    if several:
        hint, _ = _plain(get_args(hint)[0], ())
    metavar = None
    kind: Any
    if choices is not None:
        kind = click.Choice(choices)
    elif hint is str:
        kind, metavar = text, "TEXT"
    elif several:
        return None
    elif hint is bool:
        kind = click.BOOL
    elif hint is int:
        kind, metavar = click.IntRange(**_range(limits)), "N"
    elif hint is float:
        kind, metavar = click.FloatRange(**_range(limits)), "X"
    else:
        return None
    settings = {"type": kind, "metavar": metavar, "multiple": several, "default": field.default, "show_default": True}
    if isinstance(field.default, str) and not field.default.isprintable():  # such as a newline
        settings["show_default"] = field.default.encode("unicode_escape").decode()
    return settings


def _plain(hint: Any, limits: Iterable[Any]) -> tuple[Any, list[Any]]:
    """The type of a hint without ``| None`` and ``Annotated``, and its limits, also those that ``Annotated`` holds."""
    limits = list(limits)
    while True:
        arms = [arm for arm in get_args(hint) if arm is not NoneType]
        if get_origin(hint) is Annotated:
            limits += [limit for note in arms[1:] for limit in getattr(note, "metadata", ())]
        elif get_origin(hint) not in (Union, UnionType) or len(arms) > 1:
            return hint, limits
        hint = arms[0]


def _range(limits: Iterable[Any]) -> dict[str, Any]:
    """Smallest and largest number, as click takes them."""
    found: dict[str, Any] = {}
    for limit in limits:
        for name, bound, is_open in (("ge", "min", False), ("gt", "min", True), ("le", "max", False), ("lt", "max", True)):
            if (value := getattr(limit, name, None)) is not None:
                found |= {bound: value, f"{bound}_open": is_open}
    return found
