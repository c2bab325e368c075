"""Writes the attention and the hidden states of a model that reads traces, for ``epf trace internals``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epf.core.errors import InvalidRequest
from epf.entropy.attention.maths import row_entropies
from epf.entropy.core.checks import at_most, refuse
from epf.entropy.tooling.internals import Internals, Reader
from epf.entropy.traces import Trace, read_rows, traces_of

MAX_NUMBERS = 4_000_000
DECIMALS = 6
"""Digits that survive in numbers computed with 32 bits."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write.

    Attributes:
        row: the only trace to read, counted from 1; None reads all.
        attention: file for the attention of that trace.
        maps: write whole attention maps, not the entropies of their rows.
        hidden: file for the hidden states.
        layer: layer of the states; 0 is the embedding, -1 the last.
        group: what groups the states: ``step`` or ``correct``.
    """

    row: int | None
    attention: Path | None
    maps: bool
    hidden: Path | None
    layer: int
    group: str


def write(file: Path, model: Path, wanted: Wanted) -> None:
    """Let the model in a directory read the traces of a file, and write what is wanted.

    Raises:
        InvalidRequest: the options do not fit together, or a trace, the model or a file is not usable.
        NotInstalled: torch or transformers is missing.
    """
    _check(wanted)
    traces = traces_of(read_rows(file))
    if wanted.row is not None and not 1 <= wanted.row <= len(traces):
        raise refuse("row", f"is {wanted.row}", f"the file has traces 1 to {len(traces)}")
    reader = Reader(model)
    states: list[Any] = []
    groups: list[Any] = []
    for i in range(len(traces)) if wanted.row is None else [wanted.row - 1]:
        found = reader.read(traces[i], f"traces.{i}")
        if wanted.attention is not None:
            _write(wanted.attention, _attention(found, wanted.maps))
        if wanted.hidden is not None:
            rows, labels = _hidden(found, traces[i], f"traces.{i}", wanted)
            states.extend(rows)
            groups.extend(labels)
            at_most("hidden", len(states) * len(states[0]), MAX_NUMBERS, "numbers so far")
    if wanted.hidden is not None:
        _write(wanted.hidden, {"activations": states, "kind": "hidden_states", "groups": groups})


def _check(wanted: Wanted) -> None:
    if wanted.attention is None and wanted.hidden is None:
        raise refuse("attention", "and hidden are missing", "name the file to write")
    if wanted.attention is not None and wanted.row is None:
        raise refuse("row", "is missing", "attention is written for one trace")
    if wanted.maps and wanted.attention is None:
        raise refuse("maps", "needs attention", "name the file for attention, or leave maps out")


def _attention(found: Internals, maps: bool) -> dict[str, Any]:
    attention = found.attention.astype(np.float64)
    name, values = ("attentions", attention) if maps else ("row_entropies", row_entropies(attention))
    at_most("attention", values.size, MAX_NUMBERS, "numbers")
    return {name: _rounded(values), "step_of": list(found.step_of)}


def _hidden(found: Internals, trace: Trace, field: str, wanted: Wanted) -> tuple[list[Any], list[Any]]:
    """States of the trace's tokens at one layer, and the group of each."""
    n_layers = len(found.hidden)
    if not -n_layers <= wanted.layer < n_layers:
        raise refuse("layer", f"is {wanted.layer}", f"the model has layers 0 to {n_layers - 1}")
    if wanted.group == "correct" and trace.correct is None:
        raise refuse(f"{field}.correct", "is missing", "set it in every trace, or group by step")
    tokens = [place for place, step in enumerate(found.step_of) if step is not None]
    groups = [found.step_of[place] if wanted.group == "step" else trace.correct for place in tokens]
    return _rounded(found.hidden[wanted.layer, tokens]), groups


def _rounded(values: NDArray[np.floating]) -> Any:
    """Nested lists."""
    return values.astype(np.float64).round(DECIMALS).tolist()


def _write(path: Path, value: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(value), encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {path}: {error.strerror}.", param="file") from error
