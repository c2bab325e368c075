"""Rows of a data file: JSON Lines, JSON, CSV, TSV or Parquet, by the ending of its name, each also compressed by gzip."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from epf.core.errors import InvalidRequest
from epf.core.extras import import_extra

ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
GZIP = ".gz"


class SourceRow(NamedTuple):
    """A row: its number, counted from 1 (in JSON Lines the line, elsewhere without a header), and its values by column."""

    number: int
    values: Mapping[str, Any]


def is_data_file(name: str) -> bool:
    """Whether the name ends as that of a data file does."""
    return _ending(name) is not None


def read_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the rows of a file, which are JSON Lines if its ending is unknown; blank lines are skipped.

    Numbers with a point are ``Decimal``, which keeps their spelling; empty cells of CSV are None.

    Raises:
        InvalidRequest: the file cannot be read or is damaged, or a row is not an object; the message names file and row.
        NotInstalled: the library that reads Parquet is missing.
    """
    data = _bytes(path)
    ending = _ending(path.name)
    if ending == ".parquet":
        yield from _parquet(data, path)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text. Save it as UTF-8.", param="dataset") from error
    if ending in (".csv", ".tsv"):
        yield from _table(text, path, "\t" if ending == ".tsv" else None)
    elif ending == ".json" and (found := _document(text)) is not None:
        for number, value in enumerate(found, start=1):
            yield SourceRow(number, _object(value, f"Row {number} of {path}"))
    else:
        yield from _lines(text, path)


def _ending(name: str) -> str | None:
    name = name.lower().removesuffix(GZIP)
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.name.lower().endswith(GZIP) else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidRequest(f"{path} is not a complete gzip file: {error}.", param="dataset") from error
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="dataset") from error


def _lines(text: str, path: Path) -> Iterator[SourceRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"Row {number} of {path}"
            try:
                value = _parsed(line)
            except (ValueError, RecursionError) as error:
                raise InvalidRequest(f"{where} is not valid JSON: {error}.", param="dataset") from error
            yield SourceRow(number, _object(value, where))


def _document(text: str) -> list[Any] | None:
    """The rows of one JSON document: an array, an object with one array of objects, or one row; None for JSON Lines."""
    try:
        value = _parsed(text)
    except (ValueError, RecursionError):
        return None  # The lines are read one by one, so that an error names its row.
    if isinstance(value, dict):
        arrays = [array for array in value.values() if isinstance(array, list) and array and isinstance(array[0], dict)]
        return arrays[0] if len(arrays) == 1 else [value]
    return value if isinstance(value, list) else None


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{where} must be a JSON object.", param="dataset")
    return value


def _table(text: str, path: Path, delimiter: str | None) -> Iterator[SourceRow]:
    """Yield the rows below a header; the delimiter of a header without a comma may be a semicolon or a tab."""
    header_line = text.lstrip().partition("\n")[0]
    delimiter = delimiter or next((mark for mark in ",;\t" if mark in header_line), ",")
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    number = 0
    try:
        for record in records:
            if not any(cell.strip() for cell in record):
                continue
            if header is None:
                header = [cell.strip() for cell in record]
                _check_header(header, path)
                continue
            number += 1
            if len(record) != len(header):
                message = f"Row {number} of {path} has {len(record)} cells, but the header has {len(header)}. Quote commas."
                raise InvalidRequest(message, param="dataset")
            yield SourceRow(number, {name: cell or None for name, cell in zip(header, record, strict=True)})
    except csv.Error as error:
        raise InvalidRequest(f"Row {number + 1} of {path} is not valid CSV: {error}.", param="dataset") from error


def _check_header(header: list[str], path: Path) -> None:
    twice = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if twice is not None:
        raise InvalidRequest(f"{path} has two columns {twice!r}. Rename one of them.", param="dataset")


def _parquet(data: bytes, path: Path) -> Iterator[SourceRow]:
    library = import_extra("pyarrow.parquet", "datasets")
    try:
        rows = library.read_table(io.BytesIO(data)).to_pylist()
    except Exception as error:  # The library raises many kinds.
        raise InvalidRequest(f"{path} is not a Parquet file that can be read: {error}.", param="dataset") from error
    for number, values in enumerate(rows, start=1):
        yield SourceRow(number, values)
