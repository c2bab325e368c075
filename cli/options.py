"""Command-line options of a search, one per field of ``SearchConfig``, with the text and default that the service documents."""

import argparse
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from search.config import SearchConfig
from service.schemas import DEFAULTS, SolveRequest


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--n-particles``, ``--max-steps``, ... to a parser; :func:`search_config` reads them back."""
    group = parser.add_argument_group("search options")
    hints = get_type_hints(SearchConfig)
    for field in fields(SearchConfig):
        default = getattr(DEFAULTS, field.name)
        told = "none" if default in (None, ()) else repr(default) if isinstance(default, str) else default
        options: dict[str, Any] = {
            "default": list(default) if isinstance(default, tuple) else default,
            "help": f"{SolveRequest.model_fields[field.name].description} Default: {told}.".replace("%", "%%"),
        }
        group.add_argument(f"--{field.name.replace('_', '-')}", **options, **_kind(hints[field.name]))


def search_config(arguments: argparse.Namespace) -> SearchConfig:
    """The search that the options ask for.

    Raises:
        InvalidRequest: a value is out of its range.
    """
    return SearchConfig(**{field.name: _read(getattr(arguments, field.name)) for field in fields(SearchConfig)})


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
