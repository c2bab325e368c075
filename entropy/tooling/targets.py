"""What is to be known of traces: a score or a label of each."""

import math
from collections.abc import Sequence

from epf.core.errors import InvalidRequest
from epf.entropy.core.checks import refuse
from epf.entropy.core.schema import Label
from epf.entropy.traces import Trace, last_score

CLIP = 1e-7
"""Probabilities are held this far from 0 and 1 before their log odds are taken, as a search does."""


def target_of(traces: Sequence[Trace], name: str) -> tuple[list[float], list[Label]]:
    """Scores or labels of the traces; the other list is empty.

    ``name``: ``correct``; ``last_score``, as log odds; or a name among judges (a score) or labels.

    Raises:
        InvalidRequest: a trace does not have it.
    """
    if name == "last_score":
        return [_log_odds(last_score(trace, f"traces.{i}")) for i, trace in enumerate(traces)], []
    if any(name in trace.judges for trace in traces):
        for i, trace in enumerate(traces):
            if name not in trace.judges:
                raise _missing(f"traces.{i}.judges.{name}")
        return [trace.judges[name] for trace in traces], []
    labels: list[Label] = []
    for i, trace in enumerate(traces):
        label = trace.correct if name == "correct" else trace.labels.get(name)
        if label is None:
            raise _missing(f"traces.{i}.correct" if name == "correct" else f"traces.{i}.labels.{name}")
        labels.append(label)
    return [], labels


def _log_odds(probability: float) -> float:
    held = min(max(probability, CLIP), 1 - CLIP)
    return math.log(held / (1 - held))


def _missing(field: str) -> InvalidRequest:
    return refuse(field, "is missing", "give it for every trace, or choose another target")
