"""The outcome of a request in JSON, in a form that can be sent from one process to another."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from epf.core.errors import InvalidRequest, SearchServiceError
from epf.entropy.registry import TOOLS
from epf.entropy.report import ReportRequest, report_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a request; exactly one field is set.

    Attributes:
        answer: JSON of the tool's output.
        complaint: the first of pydantic's errors, without the input, if the body does not fit the tool's input.
        refusal: an error whose message the caller may read.
        bug: any other exception and where it was raised, without its message, which may quote the input.
    """

    answer: bytes | None = None
    complaint: Any = None
    refusal: SearchServiceError | None = None
    bug: str | None = None


def outcome_of(name: str, body: bytes) -> Outcome:
    """Runs the tool ``name`` on a body; with ``/report`` after the name, the body is a :class:`ReportRequest`. Never raises."""
    tool_name, _, form = name.partition("/")
    tool = TOOLS[tool_name]
    try:
        try:
            given = (ReportRequest if form else tool.input).model_validate_json(body)
        except ValidationError as error:
            return Outcome(complaint=error.errors(include_url=False, include_input=False)[0])
        answer = report_of(tool, given) if isinstance(given, ReportRequest) else tool.answer(given)
        return Outcome(answer=answer.model_dump_json().encode())
    except SearchServiceError as error:
        return Outcome(refusal=error)
    except MemoryError:
        return Outcome(refusal=InvalidRequest("This input needs more memory than one request may use: send a smaller one."))
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
        return Outcome(bug=f"{type(error).__name__} in {where}")
