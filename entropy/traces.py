"""Reasoning traces as people have them: one form, in JSON Lines or as POST /solve answered.

A row of the file is one :class:`Trace`::

    {"problem": "...", "steps": ["45 - 17 = 28.", "..."], "scores": [0.98, 0.95], "answer": "28", "correct": true}

or a whole result of a search with its particles (``return_particles``), which becomes one trace per particle.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from epf.core.errors import InvalidRequest
from epf.entropy.core.checks import at_most, explained, refuse, same_length
from epf.entropy.core.schema import Label, Number, Strict

MAX_TRACES = 100_000
MAX_STEPS = 10_000
MAX_FILE_BYTES = 256 * 1024 * 1024

Probability = Annotated[float, Field(ge=0, le=1)]
PerToken = Annotated[list[list[Number]], Field(max_length=MAX_STEPS)]


class Trace(Strict):
    """One solution of a problem, whole or not. What is not known is left out or null."""

    problem: str | None = Field(None, description="The problem; traces of one problem have the same text here.")
    steps: list[str] = Field([], max_length=MAX_STEPS, description="Texts of the steps in order.")
    token_ids: list[list[Annotated[int, Field(ge=0)]]] | None = Field(
        None, max_length=MAX_STEPS, description="Token ids of each step."
    )
    logprobs: PerToken | None = Field(None, description="Log probability of each token of each step, in nats.")
    entropies: PerToken | None = Field(None, description="Entropy of the model's distribution at each token, in nats.")
    scores: list[Probability] | None = Field(
        None, max_length=MAX_STEPS, description="A reward model's probability after each step, or one for the whole."
    )
    judges: dict[str, Number] = Field({}, description="Scores of other judges for the whole, by name; higher is better.")
    answer: str | None = Field(None, description="Final answer.")
    correct: bool | None = Field(None, description="Whether the final answer is right.")
    log_weight: Number | None = Field(None, description="Of the particle at the end of its search; null for a dead one.")
    labels: dict[str, Label] = Field({}, description="Anything else that is known of the trace, by name.")

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        """Everything per step has one item per step, everything per token one per token."""
        with _as_pydantic_s():
            per_token = [name for name in ("token_ids", "logprobs", "entropies") if getattr(self, name) is not None]
            for name in per_token:
                same_length(name, getattr(self, name), "steps", self.steps)
                for i, (items, others) in enumerate(zip(getattr(self, name), getattr(self, per_token[0]), strict=True)):
                    same_length(f"{name}.{i}", items, f"{per_token[0]}.{i}", others)
            _check_scores(self.scores, self.steps)
        return self


@contextmanager
def _as_pydantic_s() -> Iterator[None]:
    """A refusal of ours as a complaint of pydantic's, so that the trace's place in the request is told with it."""
    try:
        yield
    except InvalidRequest as error:
        raise PydanticCustomError("misaligned", "{complaint}", {"complaint": error.message.rstrip(".")}) from None


def _check_scores(scores: list[float] | None, steps: Sequence[object]) -> None:
    """One for each step, one for the whole, or none."""
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
        with _as_pydantic_s():
            _check_scores(self.scores or None, self.steps)
        return self


class Solved(BaseModel):
    """What POST /solve answers with ``return_particles``, as it came back. What is not listed here is not read."""

    model_config = ConfigDict(strict=True, frozen=True)

    problem: str | None = Field(None, description="The response has none; rows of epf solve --json --file do.")
    particles: list[SolvedParticle] = Field(min_length=1, max_length=MAX_TRACES)

    def traces(self) -> list[Trace]:
        """One trace per particle."""
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
    """Input of a tool that reads traces: its own arrays, or one of these two."""

    traces: list[Trace] = Field([], max_length=MAX_TRACES, description="Traces, in place of the arrays.")
    solved: list[Solved] = Field(
        [], max_length=MAX_TRACES, description="Responses of POST /solve with return_particles, in place of the arrays."
    )

    def gathered(self) -> list[Trace]:
        """All traces that were given, each particle of a response one of them."""
        found = [*self.traces, *(trace for response in self.solved for trace in response.traces())]
        at_most("solved", len(found), MAX_TRACES, "particles")
        return found


def read_rows(path: Path) -> list[tuple[int, dict[str, JsonValue]]]:
    """JSON objects of a file, each with its row from 1: one a line, or the whole file one object or an array of them.

    Raises:
        InvalidRequest: the file cannot be read, is too large or empty, or a row is not a JSON object; it names the row.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path} has more than {MAX_FILE_BYTES // 2**20} MiB: split it.", param="file")
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
        pass  # more than one value, or none: read line by line, which also tells where it is wrong
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
    """Rows of :func:`read_rows` as traces.

    Raises:
        InvalidRequest: a row is not a trace, or there are too many; it names row and field.
    """
    found: list[Trace] = []
    for row, value in rows:
        try:
            found.extend(Solved.model_validate(value).traces() if "particles" in value else [Trace.model_validate(value)])
        except ValidationError as error:
            raise explained(error, f"Row {row}: ") from None
        at_most("file", len(found), MAX_TRACES, "traces")
    return found


def last_score(trace: Trace, field: str) -> float:
    """The reward model's score of the whole trace. Raises ``InvalidRequest`` where there is none."""
    if not trace.scores:
        raise refuse(f"{field}.scores", "is empty or missing", "give the reward model's scores")
    return trace.scores[-1]
