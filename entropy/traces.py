"""Reasoning traces, from JSON Lines or from responses of POST /solve.

A row of a file is one :class:`Trace`::

    {"problem": "...", "steps": ["45 - 17 = 28.", "..."], "scores": [0.98, 0.95], "answer": "28", "correct": true}

or the result of a search with its particles (``return_particles``), which becomes one trace per particle.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from epf.core.errors import InvalidRequest
from epf.entropy.core.checks import at_most, first_error, same_length
from epf.entropy.core.schema import Label, Number, Strict

MAX_TRACES = 100_000
MAX_STEPS = 10_000
MAX_FILE_BYTES = 256 * 1024 * 1024

Probability = Annotated[float, Field(ge=0, le=1)]
PerToken = Annotated[list[list[Number]], Field(max_length=MAX_STEPS)]


class Trace(Strict):
    """One solution of a problem, complete or not. Omit what is unknown, or set it to null."""

    problem: str | None = Field(None, description="Text of the problem. Traces of the same problem have the same text.")
    steps: list[str] = Field([], max_length=MAX_STEPS, description="Texts of the steps in order.")
    token_ids: list[list[Annotated[int, Field(ge=0)]]] | None = Field(
        None, max_length=MAX_STEPS, description="Token ids of each step."
    )
    logprobs: PerToken | None = Field(None, description="Log probability of each token of each step, in nats.")
    entropies: PerToken | None = Field(None, description="Entropy of the model's distribution at each token, in nats.")
    scores: list[Probability] | None = Field(
        None, max_length=MAX_STEPS, description="The reward model's probability after each step, or one for the whole trace."
    )
    judges: dict[str, Number] = Field(
        {}, description="Scores that other judges give the whole trace, by name; higher is better."
    )
    answer: str | None = Field(None, description="Final answer.")
    correct: bool | None = Field(None, description="Whether the final answer is right.")
    log_weight: Number | None = Field(
        None, description="Log weight of the particle at the end of its search; null for a dead particle."
    )
    labels: dict[str, Label] = Field({}, description="Any other labels of the trace, by name.")

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        """Checks that lists per step have one item per step, and lists per token one per token."""
        with _as_pydantic_error():
            per_token = [name for name in ("token_ids", "logprobs", "entropies") if getattr(self, name) is not None]
            for name in per_token:
                same_length(name, getattr(self, name), "steps", self.steps)
                for i, (items, others) in enumerate(zip(getattr(self, name), getattr(self, per_token[0]), strict=True)):
                    same_length(f"{name}.{i}", items, f"{per_token[0]}.{i}", others)
            _check_scores(self.scores, self.steps)
        return self


@contextmanager
def _as_pydantic_error() -> Iterator[None]:
    """Turns ``InvalidRequest`` into an error of pydantic, which adds the position of the trace in the request."""
    try:
        yield
    except InvalidRequest as error:
        raise PydanticCustomError("misaligned", "{complaint}", {"complaint": error.message.rstrip(".")}) from None


def _check_scores(scores: list[float] | None, steps: Sequence[object]) -> None:
    """Checks that there is one score per step, one for the whole trace, or no score."""
    if scores is not None and len(scores) != 1:
        same_length("scores", scores, "steps", steps)


class SolvedStep(BaseModel):
    """A step of a particle."""

    model_config = ConfigDict(strict=True, frozen=True)

    text: str


class SolvedParticle(BaseModel):
    """A particle of a search."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    steps: list[SolvedStep] = Field(max_length=MAX_STEPS)
    scores: list[Probability] = Field(max_length=MAX_STEPS)
    answer: str | None
    log_weight: Number | None

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        with _as_pydantic_error():
            _check_scores(self.scores or None, self.steps)
        return self


class Solved(BaseModel):
    """A response of POST /solve with ``return_particles``. Fields that are not listed here are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)

    problem: str | None = Field(
        None, description="Text of the problem. Responses do not contain it; rows of `epf solve --json --file` do."
    )
    particles: list[SolvedParticle] = Field(min_length=1, max_length=MAX_TRACES)

    def traces(self) -> list[Trace]:
        """Returns one trace per particle."""
        return [
            Trace(
                problem=self.problem,
                steps=[step.text for step in particle.steps],
                scores=particle.scores or None,
                answer=particle.answer,
                log_weight=particle.log_weight,
            )
            for particle in self.particles
        ]


class TraceInput(Strict):
    """Input of a tool that reads traces: the tool's own arrays, or one of these two."""

    traces: list[Trace] = Field([], max_length=MAX_TRACES, description="Traces, instead of the arrays.")
    solved: list[Solved] = Field(
        [], max_length=MAX_TRACES, description="Responses of POST /solve with `return_particles`, instead of the arrays."
    )

    def gathered(self) -> list[Trace]:
        """All traces of the request, including one per particle of each response."""
        found = [*self.traces, *(trace for response in self.solved for trace in response.traces())]
        at_most("solved", len(found), MAX_TRACES, "particles")
        return found


def read_rows(path: Path) -> list[tuple[int, dict[str, JsonValue]]]:
    """Reads the JSON objects of a file, each with its row number from 1.

    The file has one object per line, or is one object or an array of objects.

    Raises:
        InvalidRequest: The file cannot be read, is too large or empty, or a row, which the message names, is not a JSON object.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB: split it.", param="file")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="file") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text: save it as UTF-8.", param="file") from error
    rows = list(_rows(path, text))
    if not rows:
        raise InvalidRequest(f"{path} is empty: write one JSON object per line.", param="file")
    for row, value in rows:
        if not isinstance(value, dict):
            raise InvalidRequest(f"Row {row} of {path} must be a JSON object.", param="file")
    return rows


def _rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        pass  # not a single value: read line by line, which also finds the row of an error
    else:
        yield from enumerate(whole if isinstance(whole, list) else [whole], start=1)
        return
    for row, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield row, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InvalidRequest(f"Row {row} of {path} is not valid JSON: {error}.", param="file") from None


def is_trace(row: dict[str, JsonValue]) -> bool:
    """Whether a row is a trace or a solved problem, rather than the arrays of a tool."""
    return "particles" in row or bool(row.keys() & {"steps", "answer", "correct"})


def traces_of(rows: Sequence[tuple[int, dict[str, JsonValue]]]) -> list[Trace]:
    """Converts rows of :func:`read_rows` to traces.

    Raises:
        InvalidRequest: A row is not a trace, or there are too many; the message names row and field.
    """
    found: list[Trace] = []
    for row, value in rows:
        try:
            found.extend(Solved.model_validate(value).traces() if "particles" in value else [Trace.model_validate(value)])
        except ValidationError as error:
            raise first_error(error, f"Row {row}: ") from None
        at_most("file", len(found), MAX_TRACES, "traces")
    return found
