"""The directory of a run: ``run.json`` says what was asked for, ``results.jsonl`` holds a row for each search that ended.

A row is handed to the operating system as one line when its search ends, so a killed run loses nothing that it told. What a
kill can leave is one torn line at the end; it is dropped when the run is opened again, and so are rows of failures, whose
searches are tried again. Only one process writes at a time.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.evaluation.plan import Key, Plan
from epf.evaluation.rows import ROW, Row
from epf.search.options import SearchOptions

RUN = "run.json"
RESULTS = "results.jsonl"

GROWS = ("methods", "cells", "seeds", "problems")
"""Settings of which a run may ask for more later, when the rows that it has stay good."""

Settings = Mapping[str, Any]
"""What the results depend on, as JSON."""


DEFAULTS = SearchOptions().model_dump()


class Store:
    """Rows of one run, in memory and on disk; made by :func:`open_store`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.rows: dict[Key, Row] = {}
        read, mended = _read(directory / RESULTS)
        for row in read:
            if row.final:
                self.rows[row.key] = row
        if mended or len(self.rows) < len(read):
            _replace(directory / RESULTS, "".join(_line(row) for row in self.rows.values()))
        self._file = (directory / RESULTS).open("a", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Write a row."""
        self._file.write(_line(row))
        self._file.flush()
        self.rows[row.key] = row

    def close(self) -> None:
        """No row comes any more."""
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
    """Begin a run, or go on with one whose searches are all among those that ``settings`` ask for.

    Raises:
        InvalidRequest: the directory holds a run of other settings, one that asked for more, or something else, or another
            process writes into it.
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
            raise InvalidRequest(f"another `epf eval` writes into {directory}: wait for it", param="out") from None
        _agree(directory, settings)
        store = Store(directory)
        try:
            yield store
        finally:
            store.close()
    finally:
        os.close(lock)


def read_run(directory: Path) -> tuple[dict[str, Any], list[Row]]:
    """Settings and rows of a run, which is left as it is.

    Raises:
        InvalidRequest: there is none.
    """
    return _settings(directory), _read(directory / RESULTS)[0]


def differences(old: Settings, new: Settings) -> list[str]:
    """What two runs were asked for differently, one line each."""
    told = []
    for name in dict.fromkeys([*old, *new]):
        if (before := old.get(name)) != (now := new.get(name)):
            told.append("the problems are others" if name == "problems" else f"{name}: {before!r} and {now!r}")
    return told


def _settings(directory: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((directory / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{directory} holds no run of `epf eval`: cannot read its {RUN}", param="out") from error
    return settings


def _agree(directory: Path, settings: Settings) -> None:
    """Write down the settings of a new run or of more than an old one asked for, or see that an old one had the same."""
    if (directory / RUN).exists():
        old = _settings(directory)
        found = differences(old, settings)
        if not found:
            return
        if not _grown(old, settings):
            told = "; ".join(found)
            fix = (
                "repeat the command of that run, perhaps with more methods, budgets, seeds or problems, or choose another --out"
            )
            raise InvalidRequest(f"{directory} holds a run of other settings ({told}): {fix}", param="out")
    elif any(directory.glob("*.jsonl")):
        raise InvalidRequest(f"{directory} holds rows but no {RUN}: choose another --out", param="out")
    _replace(directory / RUN, json.dumps(settings, indent=1) + "\n")


def _grown(old: Settings, new: Settings) -> bool:
    """Whether ``new`` asks for all that ``old`` did, perhaps for more: then no search of ``old`` would be another now."""
    alike = {**old, **{name: new.get(name) for name in GROWS}} == new
    return (
        alike
        and all(cell in new["cells"] for cell in old["cells"])
        and old["seeds"] <= new["seeds"]
        and old["problems"].items() <= new["problems"].items()
    )


def _line(row: Row) -> str:
    return ROW.dump_json(row).decode() + "\n"


def _read(path: Path) -> tuple[list[Row], bool]:
    """The whole rows of a file, and whether a torn one stands at its end."""
    if not path.exists():
        return [], False
    *whole, rest = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(whole, start=1):
        try:
            rows.append(ROW.validate_json(line))
        except ValidationError as error:
            told = error.errors()[0]["msg"]
            raise InvalidRequest(f"row {number} of {path} is damaged ({told}): remove it and go on", param="out") from None
    return rows, bool(rest)


def _replace(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
