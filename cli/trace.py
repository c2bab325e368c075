"""``epf trace internals``: what goes on in a model that reads traces, written as input of ``epf entropy``."""

import argparse
import json
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


def add_commands(parser: argparse.ArgumentParser) -> None:
    """``internals``, with its options."""
    commands = parser.add_subparsers(dest="trace_command", required=True, metavar="COMMAND")
    internals = commands.add_parser(
        "internals",
        help="attention and hidden states of a model that reads the traces",
        description="Let a model read traces and write its attention or hidden states, for epf entropy. Needs the extra torch.",
    )
    internals.add_argument("file", type=Path, metavar="FILE", help="traces in JSON Lines")
    internals.add_argument("--model", type=Path, required=True, metavar="DIR", help="directory of a Hugging Face model")
    internals.add_argument("--row", type=int, metavar="N", help="only the N-th trace, from 1")
    internals.add_argument("--attention", type=Path, metavar="JSON", help="write input of epf entropy attention; needs --row")
    internals.add_argument("--maps", action="store_true", help="in it whole maps in place of the entropies of their rows")
    internals.add_argument("--hidden", type=Path, metavar="JSON", help="write input of epf entropy features: states by token")
    internals.add_argument(
        "--layer", type=int, default=-1, metavar="N", help="of the states; 0 is the embedding. Default: last."
    )
    internals.add_argument(
        "--group", choices=("step", "correct"), default="step", help="of the states: number of the step, or right and wrong"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read and write."""
    if arguments.attention is None and arguments.hidden is None:
        raise refuse("attention", "and hidden are missing", "name the file to write")
    if arguments.attention is not None and arguments.row is None:
        raise refuse("row", "is missing", "attention is that of one trace")
    if arguments.maps and arguments.attention is None:
        raise refuse("maps", "belongs to attention", "name its file, or leave maps out")
    traces = traces_of(read_rows(arguments.file))
    chosen = range(len(traces)) if arguments.row is None else [arguments.row - 1]
    if arguments.row is not None and not 1 <= arguments.row <= len(traces):
        raise refuse("row", f"is {arguments.row}", f"the file has traces 1 to {len(traces)}")
    reader = Reader(arguments.model)
    states: list[Any] = []
    groups: list[Any] = []
    for i in chosen:
        found = reader.read(traces[i], f"traces.{i}")
        if arguments.attention is not None:
            _write(arguments.attention, _attention(found, arguments.maps))
        if arguments.hidden is not None:
            rows, labels = _hidden(found, traces[i], f"traces.{i}", arguments)
            states.extend(rows)
            groups.extend(labels)
            at_most("hidden", len(states) * len(states[0]), MAX_NUMBERS, "numbers so far")
    if arguments.hidden is not None:
        _write(arguments.hidden, {"activations": states, "kind": "hidden_states", "groups": groups})
    return 0


def _attention(found: Internals, maps: bool) -> dict[str, Any]:
    attention = found.attention.astype(np.float64)
    name, values = ("attentions", attention) if maps else ("row_entropies", row_entropies(attention))
    at_most("attention", values.size, MAX_NUMBERS, "numbers")
    return {name: _rounded(values), "step_of": list(found.step_of)}


def _hidden(found: Internals, trace: Trace, field: str, arguments: argparse.Namespace) -> tuple[list[Any], list[Any]]:
    """States of the trace's tokens at one layer, and the group of each."""
    n_layers = len(found.hidden)
    if not -n_layers <= arguments.layer < n_layers:
        raise refuse("layer", f"is {arguments.layer}", f"the model has 0 to {n_layers - 1}")
    if arguments.group == "correct" and trace.correct is None:
        raise refuse(f"{field}.correct", "is missing", "tell it of every trace, or group by step")
    tokens = [place for place, step in enumerate(found.step_of) if step is not None]
    groups = [found.step_of[place] if arguments.group == "step" else trace.correct for place in tokens]
    return _rounded(found.hidden[arguments.layer, tokens]), groups


def _rounded(values: NDArray[np.floating]) -> Any:
    """Nested lists of a few digits, which is all that 32 bits computed for sure."""
    return values.astype(np.float64).round(DECIMALS).tolist()


def _write(path: Path, value: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(value), encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {path}: {error.strerror}.", param="file") from error
