"""``maxent`` of traces: numbers that describe each trace, and the states of its steps."""

import math
from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import exclusive, refuse
from epf.entropy.maxent.schema import MaxentInput
from epf.entropy.tooling.scores import SUMMARIES, bin_of, log_odds, quantile_edges
from epf.entropy.traces import Trace


def from_traces(traces: Sequence[Trace], given: MaxentInput) -> MaxentInput:
    """Makes a chain of score bins per trace and, with ``mean`` or ``temperature``, a row of features per trace."""
    update: dict[str, object] = {}
    scored = [trace.scores for trace in traces if trace.scores is not None and len(trace.scores) > 1]
    if scored:
        edges = quantile_edges(np.concatenate(scored), given.bins)
        update["chains"] = [[bin_of(score, edges) for score in scores] for scores in scored]
    if given.mean and given.temperature is not None:
        raise exclusive("temperature", "mean")
    columns = _columns(traces)
    if given.mean:
        required = dict(_required_mean(f"mean.{i}", text, columns) for i, text in enumerate(given.mean))
        update["targets"] = [required.get(name) for name in columns]
    if given.temperature is not None:
        if "log_odds" not in columns:
            raise refuse("temperature", "needs scores, which some traces lack", "give every trace a score")
        update["multipliers"] = [-1.0 / given.temperature if name == "log_odds" else 0.0 for name in columns]
    if given.mean or given.temperature is not None:
        update |= {"names": list(columns), "features": np.column_stack(list(columns.values())).tolist()}
    if not update:
        raise refuse("traces", "do not have scores of two steps", "give scores, or set mean")
    return given.model_copy(update=update)


def _columns(traces: Sequence[Trace]) -> dict[str, list[float]]:
    """Numbers that all traces have, by name."""
    columns: dict[str, list[float]] = {}
    scores = [trace.scores for trace in traces if trace.scores]
    if len(scores) == len(traces):
        columns["log_odds"] = [log_odds(one[-1]) for one in scores]
        columns |= {name: [summary(one) for one in scores] for name, summary in SUMMARIES.items()}
    if all(trace.steps for trace in traces):
        columns["n_steps"] = [float(len(trace.steps)) for trace in traces]
    if all(trace.correct is not None for trace in traces):
        columns["correct"] = [float(bool(trace.correct)) for trace in traces]
    for name in traces[0].judges:
        if name not in columns and all(name in trace.judges for trace in traces):
            columns[name] = [trace.judges[name] for trace in traces]
    return columns


def _required_mean(field: str, text: str, columns: dict[str, list[float]]) -> tuple[str, float]:
    """Parses ``NAME=VALUE``."""
    name, _, value = text.rpartition("=")
    if name not in columns:
        fix = f"choose one of {', '.join(columns)}" if columns else "these traces have no common number"
        raise refuse(field, "is not the name of a number that all traces have", fix)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise refuse(field, "has no number after the equals sign", "write NAME=VALUE, for example last_score=0.9")
    return name, number
