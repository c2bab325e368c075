"""Everything that the page of a run shows: the report's figures, the outcome of every search, and the searches themselves."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from epf.core.errors import InvalidRequest
from epf.evaluation.plan import read_contenders
from epf.evaluation.report.figures import report_of
from epf.evaluation.report.grid import CellName
from epf.evaluation.report.pairs import pairs_of
from epf.evaluation.report.search import is_recorded, result_of
from epf.evaluation.report.text import CELL_HEADER, Section, cell_rows, lead, plain, sections, signed
from epf.evaluation.rows import Row
from epf.evaluation.store import RESULTS, RUN, read_run
from epf.problem_sets.files import is_data_file
from epf.problem_sets.registry import load_problems
from epf.search.methods import METHODS
from epf.search.methods.epf import EPF

MAX_SEARCH_BYTES = 16 * 1024 * 1024
"""Maximum size of all searches of a page as JSON; a page of a larger run names the command that opens one of them."""

ROLES = ("generator", "reward_model")

NEEDED = ("dataset", "methods", "cells", "seeds", "search", "problems", *ROLES)
"""Settings of a run that its page shows."""

SHIPPED = ("synthetic", "forks", "gsm8k", "svamp")
"""Data sets that are read without a network."""


def page_data(directory: Path) -> dict[str, Any]:
    """The data of the page of the run in ``directory``, as JSON values.

    ``searches`` has one list per field, with one item per search; ``results`` has the recorded searches by row number from 1,
    or null if they are larger than :data:`MAX_SEARCH_BYTES`.

    Raises:
        InvalidRequest: the directory does not hold a run, or the run has no rows yet.
    """
    settings, rows = read_run(directory)
    if missing := [name for name in NEEDED if name not in settings]:
        message = f"{directory} is damaged: its {RUN} lacks {', '.join(missing)}"
        raise InvalidRequest(f"{message}. Repeat the command of `epf eval` with another --out.", param="file")
    if not rows:
        raise InvalidRequest(f"{directory} has no searches yet: repeat its command of `epf eval`.", param="file")
    cells: list[CellName] = [(method, budget) for method, budget in settings["cells"]]
    report = report_of(rows, cells)
    texts = _texts(settings)
    gold = {row.problem: row.gold for row in rows}
    problems = [{"id": name, "gold": gold[name], "text": texts.get(name)} for name in settings["problems"] if name in gold]
    return {
        "dataset": settings["dataset"],
        "lead": lead(report, settings),
        "file": str(directory / RESULTS),
        "n_problems": report.n_problems,
        "cells": [asdict(cell) for cell in report.cells],
        "table": {"header": CELL_HEADER, "rows": cell_rows(report)},
        "sections": [_plain(section) for section in sections(report)],
        "pairs": [{**asdict(pair), "written": signed(pair.difference)} for pair in pairs_of(rows, cells)],
        "columns": [{"method": name, "budget": n, "command": _command(settings, (name, n))} for name, n in cells],
        "problems": problems,
        "searches": _searches(rows, [str(problem["id"]) for problem in problems], cells),
        "results": _results(rows, cells),
    }


def _plain(section: Section) -> dict[str, Any]:
    rows = [[plain(cell) if isinstance(cell, str) else cell for cell in row] for row in section.rows]
    return {"title": section.title, "note": plain(section.note), "header": section.header, "rows": rows}


def _searches(rows: Sequence[Row], problems: Sequence[str], cells: Sequence[CellName]) -> dict[str, list[Any]]:
    """The outcome of every search, in the order of the rows; of a search that was repeated, the last one counts."""
    at_problem = {name: i for i, name in enumerate(problems)}
    at_cell = {cell: i for i, cell in enumerate(cells)}
    last = {row.key: (number, row) for number, row in enumerate(rows, start=1)}
    found = [
        (number, row) for number, row in last.values() if (row.method, row.budget) in at_cell and row.problem in at_problem
    ]
    return {
        "row": [number for number, _ in found],
        "problem": [at_problem[row.problem] for _, row in found],
        "column": [at_cell[row.method, row.budget] for _, row in found],
        "seed": [row.seed for _, row in found],
        "search_seed": [row.search_seed for _, row in found],
        "right": [row.correct for _, row in found],
        "answer": [row.answer for _, row in found],
        "failure": [None if row.error is None else row.error.message for _, row in found],
    }


def _results(rows: Sequence[Row], cells: Sequence[CellName]) -> dict[int, dict[str, Any]] | None:
    found, size = {}, 0
    for number, row in enumerate(rows, start=1):
        if (row.method, row.budget) in cells and row.error is None and is_recorded(row):
            found[number] = result_of(row)
            size += len(json.dumps(found[number]))
            if size > MAX_SEARCH_BYTES:
                return None
    return found


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """The texts of the problems, by id, of a data set that is here; a run stores their digests only, and these must agree."""
    dataset = settings["dataset"]
    if dataset not in SHIPPED and not (is_data_file(dataset) and Path(dataset).is_file()):
        return {}
    try:
        problems = load_problems(dataset)
    except InvalidRequest:  # the file has changed, or the run named its columns
        return {}
    return {problem.id: problem.text for problem in problems if settings["problems"].get(problem.id) == problem.digest}


def _command(settings: Mapping[str, Any], cell: CellName) -> str:
    """The command that records a search of this cell with its texts, without its seed and problem.

    It names embedded models; a run keeps neither the addresses of others nor the file of a profile.
    """
    name, budget = cell
    contender = read_contenders(name)[0].options.chosen()
    method = METHODS[contender["method"]]
    models = {role: settings[role]["name"] for role in ROLES if settings[role]["kind"] == "embedded" and settings[role]["name"]}
    shared = {option: value for option, value in settings["search"].items() if method.reads(option)}
    size = {"n_particles": budget} if method.reads("n_particles") else {}
    chosen = {**models, **shared, **contender, **size}
    flags = (part for option, value in chosen.items() for part in _flags(option, value))
    profile = ' --profile "$PROFILE"' if method is EPF and settings.get("profile") else ""
    return shlex.join(["epf", "solve", "--json", "--logprobs", *flags]) + profile


def _flags(option: str, value: object) -> list[str]:
    name = option.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    values = value if isinstance(value, list | tuple) else [value]
    return [part for each in values for part in (f"--{name}", str(each))]
