"""The directory of a run: ``run.json`` holds its settings, ``results.jsonl`` a row for each search that ended.

A row is written as one line when its search ends, so a killed run loses no row that it reported. A kill can leave one torn line
at the end. It is dropped when the run is opened again, as are rows of failures, whose searches are retried. Only one process
writes at a time.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.evaluation.disk import writes_to
from epf.evaluation.plan import Key, Plan
from epf.evaluation.rows import ROW, Row
from epf.search.options import SearchOptions

RUN = "run.json"
RESULTS = "results.jsonl"

EXTENSIBLE = ("methods", "cells", "seeds", "problems")
"""Settings that a later command may extend; the rows of the run stay valid."""

Settings = Mapping[str, Any]
"""What the results depend on, as JSON values."""


DEFAULTS = SearchOptions().model_dump()


class Store:
    """Rows of one run, in memory and on disk; made by :func:`open_store`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.rows: dict[Key, Row] = {}
        read, torn = _read(directory / RESULTS)
        for row in read:
            if row.final:
                self.rows[row.key] = row
        if torn or len(self.rows) < len(read):
            _replace(directory / RESULTS, "".join(_line(row) for row in self.rows.values()))
        self._file = (directory / RESULTS).open("a", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Write a row to disk and keep it in memory. Raises ``SearchServiceError`` if it cannot be written."""
        with writes_to(self.directory):
            self._file.write(_line(row))
            self._file.flush()
        self.rows[row.key] = row

    def close(self) -> None:
        """Close the file. Only what :meth:`add` could not write, and has reported, is left to write."""
        with suppress(OSError):
            self._file.close()


def run_settings(
    plan: Plan, options: Mapping[str, Any], *, dataset: str, models: Mapping[str, Mapping[str, Any]], version: str
) -> dict[str, Any]:
    """What ``run.json`` holds: all that the results of a run depend on.

    Args:
        plan: the searches.
        options: options of a search that all methods share.
        dataset: name or path of the data set.
        models: what identifies the two models, without their keys.
        version: of the package.
    """
    chosen = {name: value for name, value in options.items() if value != DEFAULTS[name]}
    return {
        "version": version,
        "dataset": dataset,
        "methods": list(dict.fromkeys(cell.contender.name for cell in plan.cells)),
        "cells": [[cell.contender.name, cell.budget] for cell in plan.cells],
        "seeds": plan.seeds,
        "timed": plan.timed,
        "search": {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()},
        **models,
        "problems": {problem.id: problem.digest for problem in plan.problems},
    }


@contextmanager
def open_store(directory: Path, settings: Settings) -> Iterator[Store]:
    """Begin a run, or resume one whose searches are all part of what ``settings`` ask for.

    Raises:
        InvalidRequest: the directory holds a run with other settings, a larger run, or something else, or another process
            writes to it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise InvalidRequest(f"--out {directory}: {error.strerror}", param="out") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidRequest(f"Another `epf eval` is writing to {directory}. Wait until it ends.", param="out") from None
        _agree(directory, settings)
        store = Store(directory)
        try:
            yield store
        finally:
            store.close()
    finally:
        os.close(lock)


def read_run(directory: Path) -> tuple[dict[str, Any], list[Row]]:
    """Settings and rows of a run, which is not changed.

    Raises:
        InvalidRequest: the directory does not hold a run.
    """
    return _settings(directory), _read(directory / RESULTS)[0]


def differences(old: Settings, new: Settings) -> list[str]:
    """The settings in which two runs differ, one line each."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        if (before := old.get(name)) != (now := new.get(name)):
            found.append("the problems differ" if name == "problems" else f"{name}: {before!r} and {now!r}")
    return found


def _settings(directory: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((directory / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{directory} does not hold a run of `epf eval`: cannot read its {RUN}.", param="out") from error
    if not isinstance(settings, dict):
        raise InvalidRequest(f"{directory} does not hold a run of `epf eval`: its {RUN} is not an object.", param="out")
    return settings


def _agree(directory: Path, settings: Settings) -> None:
    """Write the settings of a new or an extended run; check that those of an existing one are the same."""
    if (directory / RUN).exists():
        old = _settings(directory)
        found = differences(old, settings)
        if not found:
            return
        if not _is_extension(old, settings):
            fix = "Repeat its command, also with more methods, budgets, seeds or problems, or choose another --out."
            raise InvalidRequest(f"{directory} holds a run with other settings ({'; '.join(found)}). {fix}", param="out")
    elif any(directory.glob("*.jsonl")):
        raise InvalidRequest(f"{directory} holds rows but no {RUN}. Choose another --out.", param="out")
    _replace(directory / RUN, json.dumps(settings, indent=1) + "\n")


def _is_extension(old: Settings, new: Settings) -> bool:
    """Whether ``new`` asks for every search of ``old``, and possibly more, so that the rows of ``old`` stay valid."""
    alike = {**old, **{name: new.get(name) for name in EXTENSIBLE}} == new
    return (
        alike
        and all(cell in new["cells"] for cell in old["cells"])
        and old["seeds"] <= new["seeds"]
        and old["problems"].items() <= new["problems"].items()
    )


def _line(row: Row) -> str:
    return ROW.dump_json(row).decode() + "\n"


def _read(path: Path) -> tuple[list[Row], bool]:
    """The complete rows of a file, and whether the file ends in a torn row."""
    if not path.exists():
        return [], False
    *whole, rest = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(whole, start=1):
        try:
            rows.append(ROW.validate_json(line))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            message = f"Row {number} of {path} is damaged ({reason}). Remove it and repeat the command."
            raise InvalidRequest(message, param="out") from None
    return rows, bool(rest)


def _replace(path: Path, text: str) -> None:
    """Write a file atomically."""
    part = path.with_suffix(".part")
    with writes_to(path.parent):
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
