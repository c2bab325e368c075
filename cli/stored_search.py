"""Searches in files: what the page saves, streams and results of ``POST /solve``, rows of ``epf solve`` and ``epf eval``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from epf.core.errors import InvalidRequest
from epf.entropy.traces import read_text, results_in, values_in
from epf.evaluation.report.search import result_of
from epf.evaluation.rows import ROW
from epf.service.solve.events import SolveEvent
from epf.service.solve.schemas import SolveResult

T = TypeVar("T")
Stored = dict[str, Any]
"""``request``, which may be null, with ``events``, or with ``result`` and its particles."""

_EVENTS = TypeAdapter(list[SolveEvent])


def read_search(path: Path, row: int | None) -> Stored:
    """The search of a file, or of its row ``row``, counted from 1.

    Raises:
        InvalidRequest: the file cannot be read, has several searches and no row is chosen, or holds something else.
    """
    rows = _searches(values_in(read_text(path), str(path)))
    if row is None and len(rows) > 1:
        raise InvalidRequest(f"{path} has {len(rows)} rows: choose one with --row N, from 1 to {len(rows)}.", param="row")
    if row is not None and row > len(rows):
        raise InvalidRequest(f"{path} has no row {row}: the last one is {len(rows)}.", param="row")
    value = rows[(row or 1) - 1]
    where = f"Row {row} of {path}" if row is not None else str(path)
    if "events" in value:
        return {"request": _request(value.get("request")), "events": _events(path, value["events"])}
    if "search_seed" in value:
        return {"request": None, "result": result_of(_checked(ROW, value, where))}
    if "error" in value and "answer" not in value:
        raise InvalidRequest(f"{where} is a search that failed: there is nothing to show.", param="file")
    result = _checked(TypeAdapter(SolveResult), value, where)
    if not result.particles:
        raise InvalidRequest(
            f"{where} is a result without its particles: ask for them with `return_particles`, or with `--logprobs`.",
            param="file",
        )
    return {"request": _request(value), "result": result.model_dump(mode="json", exclude_unset=True)}


def _searches(rows: list[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The searches in a file: each stream of one with all its events, and otherwise the results."""
    starts = [i for i, (_, value) in enumerate(rows) if value.get("type") == "started" and "n_problems" not in value]
    if not starts or starts[0] > 0:
        return [value for _, value in results_in(rows)]
    ends = [*starts[1:], len(rows)]
    return [{"events": [value for _, value in rows[start:end]]} for start, end in zip(starts, ends, strict=True)]


def _request(value: Any) -> dict[str, Any] | None:
    """The problem of a request or a row; None without one."""
    problem = value.get("problem") if isinstance(value, Mapping) else None
    return {"problem": problem} if isinstance(problem, str) else None


def _events(path: Path, values: Any) -> list[dict[str, Any]]:
    events = [event.root for event in _checked(_EVENTS, values, str(path))]
    if not events or events[0].type != "started":
        raise InvalidRequest(f"{path} is not the whole stream of a search: its first event must be `started`.", param="file")
    return [event.model_dump(mode="json", exclude_unset=True) for event in events if isinstance(event, BaseModel)]


def _checked(adapter: TypeAdapter[T], value: Any, where: str) -> T:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidRequest(
            f"{where} is not a search: {field}: {error.errors()[0]['msg']}. Give a file that the page saved, a stream or a "
            "result of POST /solve, or results.jsonl of epf eval.",
            param="file",
        ) from None
