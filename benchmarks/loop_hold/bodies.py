"""The worst bodies that we know, for any route: they fill the allowed size with what is expensive to read or to refuse."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

from benchmarks.loop_hold.request import Attack

MAX_VALUES: Final = 4090
"""As many values as a body may have, so that they are read and not only counted."""

ITEMS: Final[Mapping[str, str]] = {
    "empty objects": "{}",
    "ones": "1",
    "empty lists": "[]",
    "empty texts": '""',
    "unknown fields": '{"a":1}',
}
"""Items that are wrong in most lists."""

ROWS: Final[Mapping[str, str]] = {
    "lists of objects": "[" + ",".join(["{}"] * 1000) + "]",
    "lists of texts": "[" + ",".join(['"a"'] * 1000) + "]",
    "lists of numbers": "[" + ",".join(["0.1234567"] * 1000) + "]",
    "ragged lists": "[1,[2,[3,[4]]]],[1]",
}
"""Items that are wrong, or many, in lists of lists."""

ROWS_TRIED: Final = 5
"""Number of kinds of rows for each entropy tool, whose bodies take seconds to send."""


def filled(before: str, item: str, after: str, limit: int, most: int | None = None) -> bytes:
    """``item`` as often as a list between ``before`` and ``after`` has room for, or ``most`` times."""
    room = (limit - len((before + after).encode())) // (len(item.encode()) + 1)
    return (before + ",".join([item] * min(room, most or room)) + after).encode()


def text(characters: str, limit: int) -> str:
    """A JSON string of these characters, which may be escapes, of at most ``limit`` bytes."""
    return '"' + characters * ((limit - 2) // len(characters.encode())) + '"'


TEXTS: Final[Mapping[str, str]] = {
    "one text": "a",
    "one text of words": "ab ",
    "one Chinese text": "\u65e5",
    "one text of combining characters": "\u0301",
    "one text of zeros": r"\u0000",
    "one text of lone surrogates": r"\ud800",
    "one text of line breaks": r"\n",
    "one text of emoji": "\U0001f600",
    "one text of special tokens": "<|im_end|>",
}


def of_any_route(fields: Mapping[str, Any], limit: int) -> Iterator[Attack]:
    """Bodies for a route whose body has these fields, by their schemas."""
    names = list(fields) or ["a"]
    first = names[0]
    yield Attack("nested lists", b"[" * limit)
    yield Attack("nested objects", b'{"a":' * (limit // 5))
    yield Attack("nested 900 deep", f'{{"{first}":{"[" * 900}{"]" * 900}}}'.encode())
    yield Attack("many fields", _object('"k%d":1', MAX_VALUES))
    yield Attack("many more fields", _object('"%d":1', limit // 12))
    yield Attack("one field many times", filled("{", f'"{first}":1', "}", limit))
    yield Attack("NaN", filled(f'{{"{first}":[', "NaN", "]}", limit))
    yield Attack("long numbers", filled(f'{{"{first}":[', "9" * 4299, "]}", limit))
    yield Attack("one number", f'{{"{first}":{"9" * (limit - 40)}}}'.encode())
    yield Attack("long fractions", filled(f'{{"{first}":[', "0." + "123456789" * 85, "]}", limit))
    yield Attack("white space", b" " * (limit - 2) + b"{}")


def of_fields(fields: Mapping[str, Any], limit: int) -> Iterator[Attack]:
    """For three fields that are or may be lists or objects, and for two others, values that are wrong or too many."""
    compound = [name for name, schema in fields.items() if any(word in str(schema) for word in ("array", "object", "$ref"))]
    for name in list(dict.fromkeys([*compound[-3:], *list(fields)[:2]])):
        for words, item in ITEMS.items():
            most = MAX_VALUES if item != '{"a":1}' else MAX_VALUES // 2
            yield Attack(f"`{name}`: {words}", filled(f'{{"{name}":[', item, "]}", limit, most))
    for name in list(fields)[:2]:
        for words, item in ITEMS.items():
            yield Attack(f"`{name}`: {words} to the limit", filled(f'{{"{name}":[', item, "]}", limit))


def of_texts(template: str, limit: int) -> Iterator[Attack]:
    """Texts to the limit at the place of ``TEXT`` in a body that is valid otherwise."""
    for words, characters in TEXTS.items():
        yield Attack(words, template.replace("TEXT", text(characters, limit - len(template))).encode())


def of_rows(fields: Mapping[str, Any], limit: int, first: int) -> Iterator[Attack]:
    """For the body of an entropy tool: rows to the limit, in turn in each of its fields that is a list or an object.

    ``first`` is the first kind of rows that is tried, so that several tools together try them all.
    """
    names = [name for name, schema in fields.items() if schema.get("type") in ("array", "object")]
    kinds = [*ROWS.items(), *ITEMS.items()]
    for turn, name in zip(range(ROWS_TRIED), _cycle(names), strict=False):
        words, item = kinds[(first + turn) % len(kinds)]
        if fields[name]["type"] == "object":
            columns = _object(f'"c%d":[{item}]', (limit - 100) // (len(item) + 16))
            yield Attack(f"`{name}`: {words}", f'{{"{name}":'.encode() + columns + b"}")
        else:
            yield Attack(f"`{name}`: {words}", filled(f'{{"{name}":[', item, "]}", limit))


def _object(field: str, n: int) -> bytes:
    """An object of ``n`` fields, each with its number at the place of ``%d``."""
    return ("{" + ",".join(field % i for i in range(n)) + "}").encode()


def _cycle(names: list[str]) -> Iterator[str]:
    return (names[i % len(names)] for i in count())


def sent_badly(body: Mapping[str, Any], limit: int) -> Iterator[Attack]:
    """A body that is valid, and refused ones, in forms that are expensive to receive."""
    short = json.dumps(body).encode()
    yield Attack("a valid body byte by byte", short, "bytes")
    yield Attack("100,000 chunks of one byte", (b" " * 100_000)[: limit - len(short)] + short, "chunks")
    yield Attack("compressed zeros", b" " * (limit - 1), "gzip")
    yield Attack("compressed objects", b'{"a":[' + b"{}," * (limit // 3 - 10) + b"1]}", "gzip")
    yield Attack("16,000 headers", b"", "headers")
