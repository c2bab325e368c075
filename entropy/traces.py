"""Reasoning traces, from JSON Lines or from responses of POST /solve.

A row of a file is one :class:`Trace`::

    {"problem": "...", "steps": ["45 - 17 = 28.", "..."], "scores": [0.98, 0.95], "answer": "28", "correct": true}

or the result of a search with its particles (``return_particles``), or a search with all its events, as a server exports it and
the page saves it; each becomes one trace per particle. Responses of other servers become traces by
:mod:`epf.entropy.completions.traces`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue, ValidationError, model_validator

from epf.core.errors import InvalidRequest
from epf.entropy.completions.traces import is_completion, traces_of_completions
from epf.entropy.core.checks import at_most, first_error, refuse, same_length
from epf.entropy.core.schema import Number, StopsEarly, Strict
from epf.entropy.trace import MAX_STEPS, Probability, as_pydantic_error, check_scores
from epf.entropy.trace import Trace as Trace

MAX_TRACES = 100_000
MAX_FILE_BYTES = 256 * 1024 * 1024


class SolvedToken(StopsEarly):
    """One of the most likely tokens at a position."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    logprob: Number


class SolvedStep(StopsEarly):
    """A step of a particle, with its tokens if the search had the option `logprobs`."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    text: str
    n_tokens: int = Field(0, ge=0, description="Number of tokens.")
    token_ids: list[Annotated[int, Field(ge=0)]] | None = None
    logprobs: list[Number | None] | None = Field(
        None, description="Log probability of each token in nats; null where it is not known."
    )
    top_logprobs: list[list[SolvedToken]] | None = Field(None, description="Most likely tokens at the position of each token.")

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        with as_pydantic_error():
            for name in ("token_ids", "top_logprobs"):
                values = getattr(self, name)
                if values is not None and self.logprobs is None:
                    raise refuse(name, "has no logprobs next to it", "give both as the search returned them")
                if values is not None and self.logprobs is not None:
                    same_length(name, values, "logprobs", self.logprobs)
        return self


class SolvedParticle(StopsEarly):
    """A particle of a search."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    steps: list[SolvedStep] = Field(max_length=MAX_STEPS)
    scores: list[Probability] = Field(max_length=MAX_STEPS)
    answer: str | None
    log_weight: Number | None

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        with as_pydantic_error():
            check_scores(self.scores or None, self.steps)
        return self


class Solved(StopsEarly):
    """A response of POST /solve with ``return_particles``. Fields that are not listed here are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)

    problem: str | None = Field(
        None,
        description="Text of the problem. Responses do not contain it; rows of `epf solve --json --file` do. Particles of a "
        "response without it are candidates for one problem, which is not that of other responses.",
    )
    particles: list[SolvedParticle] = Field(min_length=1, max_length=MAX_TRACES)

    def traces(self, otherwise: str | None = None) -> list[Trace]:
        """Returns one trace per particle, of the problem ``otherwise`` if the response does not contain its own."""
        return [
            Trace(
                problem=otherwise if self.problem is None else self.problem,
                steps=[step.text for step in particle.steps],
                scores=particle.scores or None,
                answer=particle.answer,
                log_weight=particle.log_weight,
                **_tokens(particle.steps),
            )
            for particle in self.particles
        ]


def _tokens(steps: Sequence[SolvedStep]) -> dict[str, Any]:
    """Tokens of a particle as fields of a trace, without those that no step has; tokens that are not known have no value."""
    if all(step.logprobs is None for step in steps):
        return {}
    logprobs = [[None] * step.n_tokens if step.logprobs is None else step.logprobs for step in steps]
    fields: dict[str, Any] = {"logprobs": logprobs}
    if all(step.token_ids is not None for step in steps):
        fields["token_ids"] = [step.token_ids for step in steps]
    if any(step.top_logprobs is not None for step in steps):
        fields["top_logprobs"] = [
            [[] for _ in known] if step.top_logprobs is None else [[one.logprob for one in top] for top in step.top_logprobs]
            for step, known in zip(steps, logprobs, strict=True)
        ]
    return fields


class TraceInput(Strict):
    """Input of a tool that reads traces: the tool's own arrays, or one of these three."""

    traces: list[Trace] = Field([], max_length=MAX_TRACES, description="Traces, instead of the arrays.")
    solved: list[Solved] = Field(
        [],
        max_length=MAX_TRACES,
        description="Responses of POST /solve with `return_particles`, or with `logprobs` for tools that read tokens, instead "
        "of the arrays.",
    )

    completions: list[dict[str, JsonValue]] = Field(
        [],
        max_length=MAX_TRACES,
        description="Responses of an OpenAI-like server, best with `logprobs` and `top_logprobs`, instead of the arrays: chat "
        "completions, completions, responses, those of the own APIs of Ollama, llama.cpp, SGLang and TGI, or the chunks of a "
        "stream.",
    )

    def gathered(self) -> list[Trace]:
        """All traces of the request, including one per particle of each search and per choice of each completion."""
        found = [
            *self.traces,
            *(trace for i, response in enumerate(self.solved) for trace in response.traces(f"solved.{i}")),
            *traces_of_completions(enumerate(self.completions), apart=True),
        ]
        at_most("traces", len(found), MAX_TRACES, "traces")
        return found


def read_rows(path: Path) -> list[tuple[int, dict[str, JsonValue]]]:
    """Reads the JSON objects of a file, each with its row number from 1.

    The file has one object per line, or is one object, an array of objects, or a saved stream of server-sent events.

    Raises:
        InvalidRequest: The file cannot be read, is too large or empty, or a row, which the message names, is not a JSON object.
    """
    return rows_in(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Reads a file.

    Raises:
        InvalidRequest: It cannot be read, is too large, or is not UTF-8.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB: split it.", param="file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="file") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text: save it as UTF-8.", param="file") from error


def rows_in(text: str, source: str) -> list[tuple[int, dict[str, JsonValue]]]:
    """The JSON objects in the content of a file, as :func:`read_rows` returns them; ``source`` names it in messages.

    Raises:
        InvalidRequest: It is empty, or a row, which the message names, is not a JSON object.
    """
    return results_in(values_in(text, source))


def values_in(text: str, source: str) -> list[tuple[int, dict[str, JsonValue]]]:
    """All JSON objects in the content of a file, also the events of a search before its result.

    Raises what :func:`rows_in` raises.
    """
    rows = list(_rows(source, text))
    if not rows:
        raise InvalidRequest(
            f"Nothing can be read from {source}, which is empty: write one JSON object per line.", param="file"
        )
    for row, value in rows:
        if not isinstance(value, dict):
            raise InvalidRequest(f"Row {row} of {source} must be a JSON object.", param="file")
    return rows


def results_in(rows: list[tuple[int, dict[str, JsonValue]]]) -> list[tuple[int, dict[str, JsonValue]]]:
    """The results among the rows of a file; its first row if it has none."""
    found = ((row, _result_of(value)) for row, value in rows if not _has_no_result(value))
    return [(row, value) for row, value in found if isinstance(value, dict)] or rows[:1]


def _rows(source: str, text: str) -> Iterator[tuple[int, Any]]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        pass  # not a single value: read line by line, which also finds the row of an error
    else:
        yield from enumerate(whole if isinstance(whole, list) else [whole], start=1)
        return
    lines = text.split("\n")
    streamed = any(line.startswith("data:") for line in lines)
    for row, line in enumerate(lines, start=1):
        sent = line.strip()
        if sent.startswith("data:"):
            sent = sent.removeprefix("data:").strip()
        elif sent.startswith((":", "event:", "id:", "retry:")):
            continue
        if sent and sent != "[DONE]":
            try:
                yield row, json.loads(sent)
            except (ValueError, RecursionError) as error:
                if streamed and row == len(lines):
                    return  # the beginning of an event that never came
                raise InvalidRequest(f"Row {row} of {source} is not valid JSON: {error}.", param="file") from None


SEARCH_EVENTS = frozenset({"started", "step", "scored", "resampled", "failed", "done"})
"""Events of a streamed search or batch that contain no result."""


def _has_no_result(value: JsonValue) -> bool:
    """Whether a row is an event of a search before its result, or says that a search failed."""
    if not isinstance(value, dict):
        return False
    failed = isinstance(value.get("error"), dict) and value.keys() <= {"row", "problem", "error", "type"}
    return failed or (value.get("type") in SEARCH_EVENTS and "steps" not in value)


def _result_of(value: JsonValue) -> JsonValue:
    """The result in the last event of a streamed search, or in an event of a batch; any other row as it is."""
    if isinstance(value, dict) and value.get("type") in ("answer", "solved") and isinstance(value.get("result"), dict):
        return value["result"]
    return value


def is_trace(row: dict[str, JsonValue]) -> bool:
    """Whether a row is a trace, a solved problem, a kept search or a completion, rather than the arrays of a tool."""
    return bool(row.keys() & {"particles", "events", "steps", "answer", "correct"}) or is_completion(row)


def _with_results(rows: Sequence[tuple[int, dict[str, JsonValue]]]) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    """The rows, in which a kept search is its result with the text of its problem. One that failed or was stopped has none."""
    for row, value in rows:
        events = value.get("events")
        if not isinstance(events, list):
            yield row, value
            continue
        result = next((_result_of(event) for event in events if not _has_no_result(event)), None)
        request = value.get("request")
        if isinstance(result, dict):
            yield row, {"problem": request.get("problem") if isinstance(request, dict) else None, **result}


def traces_of(rows: Sequence[tuple[int, dict[str, JsonValue]]], *, apart: bool = False) -> list[Trace]:
    """Converts rows of :func:`read_rows` to traces.

    With ``apart``, traces from a row whose problem is not known get the name of the row as their problem, so that tools that
    compare solutions of one problem do not mix rows.

    Raises:
        InvalidRequest: A row is not a trace, or there are too many; the message names row and field.
    """
    rows = list(_with_results(rows))
    if not rows:
        raise InvalidRequest("No search of the file has a result: give one that ended with an answer.", param="file")
    if any(is_completion(value) and "particles" not in value for _, value in rows):
        completed = traces_of_completions(rows, "rows", apart=apart)
        at_most("file", len(completed), MAX_TRACES, "traces")
        return completed
    found: list[Trace] = []
    for row, value in rows:
        if "stop_reason" in value and "particles" not in value:
            fix = "ask for them with return_particles or logprobs (epf solve --json --logprobs)"
            raise InvalidRequest(f"Row {row} is the result of a search without its particles: {fix}.", param="file")
        try:
            found.extend(
                Solved.model_validate(value).traces(f"row {row}" if apart else None)
                if "particles" in value
                else [Trace.model_validate(value)]
            )
        except ValidationError as error:
            fields = Solved.model_fields if "particles" in value else Trace.model_fields
            raise first_error(error, fields, f"Row {row}: ") from None
        at_most("file", len(found), MAX_TRACES, "traces")
    return found
