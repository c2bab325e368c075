"""Command-line options of a search, one per field of ``SearchConfig``, with the text and default that the service documents."""

import argparse
from collections.abc import Collection
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from epf.search.options import SearchConfig
from epf.service.solve.schemas import DEFAULTS, SolveRequest


def add_search_options(parser: argparse.ArgumentParser, *, leave_out: Collection[str] = (), only_given: bool = False) -> None:
    """Add ``--n-particles``, ``--max-steps``, ... to a parser, but those to leave out; :func:`given_options` reads them back.

    With ``only_given`` an option that is not given has no value, so that a setting may have one.
    """
    group = parser.add_argument_group("search options")
    hints = get_type_hints(SearchConfig)
    for field in fields(SearchConfig):
        if field.name in leave_out:
            continue
        default = getattr(DEFAULTS, field.name)
        told = "none" if default in (None, ()) else repr(default) if isinstance(default, str) else default
        options: dict[str, Any] = {
            "default": argparse.SUPPRESS if only_given else list(default) if isinstance(default, tuple) else default,
            "help": f"{SolveRequest.model_fields[field.name].description} Default: {told}.".replace("%", "%%"),
        }
        group.add_argument(f"--{field.name.replace('_', '-')}", **options, **_kind(hints[field.name]))


def search_config(arguments: argparse.Namespace) -> SearchConfig:
    """The search that the options ask for.

    Raises:
        InvalidRequest: a value is out of its range.
    """
    return SearchConfig(**given_options(arguments))


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of a search that have a value, by name."""
    names = [field.name for field in fields(SearchConfig) if hasattr(arguments, field.name)]
    return {name: _read(getattr(arguments, name)) for name in names}


def _read(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _kind(hint: Any) -> dict[str, Any]:
    """How argparse reads a field of this type."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (arm for arm in get_args(hint) if arm is not NoneType)
    if get_origin(hint) is tuple:
        return {"action": "append", "type": _escaped, "metavar": "TEXT"}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if hint is str:
        return {"type": _escaped, "metavar": "TEXT"}
    return {"type": hint, "metavar": {int: "N", float: "X"}[hint]}


def _escaped(text: str) -> str:
    r"""``\n`` and ``\t`` as typed in a shell mean newline and tab."""
    return text.replace(r"\n", "\n").replace(r"\t", "\t")


def positive(text: str) -> int:
    """A whole number of at least one, as argparse reads it."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
