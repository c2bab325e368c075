"""The score or label of each trace that a tool predicts."""

from collections.abc import Sequence

from epf.core.errors import InvalidRequest
from epf.entropy.core.checks import refuse
from epf.entropy.core.schema import Label
from epf.entropy.tooling.scores import last_log_odds
from epf.entropy.traces import Trace


def target_of(traces: Sequence[Trace], name: str) -> tuple[list[float], list[Label]]:
    """Returns scores and labels of the traces, one of which is empty.

    ``name`` is ``correct``, ``last_score`` (taken as log odds), the name of a judge (a score) or the name of a label.

    Raises:
        InvalidRequest: A trace does not have it.
    """
    if name == "last_score":
        return [last_log_odds(trace, f"traces.{i}") for i, trace in enumerate(traces)], []
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


def _missing(field: str) -> InvalidRequest:
    return refuse(field, "is missing", "give it for every trace, or choose another target")
