"""``maxent`` of traces: numbers that are known of each, and the states of their steps."""

import math
from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import refuse
from epf.entropy.maxent.schema import MaxentInput
from epf.entropy.traces import Trace

CLIP = 1e-7
"""Probabilities are held this far from 0 and 1 before their log odds are taken, as a search does."""


def from_traces(traces: Sequence[Trace], given: MaxentInput) -> MaxentInput:
    """A chain of score bins for each trace; with ``mean`` or ``temperature`` also a row of features for each."""
    update: dict[str, object] = {}
    scored = [trace.scores for trace in traces if trace.scores is not None and len(trace.scores) > 1]
    if scored:
        edges = np.quantile(np.concatenate(scored), np.arange(1, given.bins) / given.bins)
        update["chains"] = [np.searchsorted(edges, scores, side="right").tolist() for scores in scored]
    if given.mean and given.temperature is not None:
        raise refuse("temperature", "is given beside mean", "give one or the other")
    columns = _columns(traces)
    if given.mean:
        wanted = dict(_wanted(f"mean.{i}", text, columns) for i, text in enumerate(given.mean))
        update["targets"] = [wanted.get(name) for name in columns]
    if given.temperature is not None:
        if "log_odds" not in columns:
            raise refuse("temperature", "needs scores, which some traces lack", "give every trace a score")
        update["multipliers"] = [-1.0 / given.temperature if name == "log_odds" else 0.0 for name in columns]
    if given.mean or given.temperature is not None:
        update |= {"names": list(columns), "features": np.column_stack(list(columns.values())).tolist()}
    if not update:
        raise refuse("traces", "have no scores of two steps", "give them, or `mean`")
    return given.model_copy(update=update)


def _columns(traces: Sequence[Trace]) -> dict[str, list[float]]:
    """Numbers that are known of every trace."""
    columns: dict[str, list[float]] = {}
    scores = [trace.scores for trace in traces if trace.scores]
    if len(scores) == len(traces):
        clipped = np.clip([one[-1] for one in scores], CLIP, 1 - CLIP)
        columns["log_odds"] = (np.log(clipped) - np.log1p(-clipped)).tolist()
        columns |= {
            "first_score": [one[0] for one in scores],
            "lowest_score": [min(one) for one in scores],
            "last_score": [one[-1] for one in scores],
        }
    if all(trace.steps for trace in traces):
        columns["n_steps"] = [float(len(trace.steps)) for trace in traces]
    if all(trace.correct is not None for trace in traces):
        columns["correct"] = [float(bool(trace.correct)) for trace in traces]
    for name in traces[0].judges:
        if name not in columns and all(name in trace.judges for trace in traces):
            columns[name] = [trace.judges[name] for trace in traces]
    return columns


def _wanted(field: str, text: str, columns: dict[str, list[float]]) -> tuple[str, float]:
    """A name and the mean that it must have, of ``NAME=VALUE``."""
    name, _, value = text.rpartition("=")
    if name not in columns:
        known = f"choose of {', '.join(columns)}" if columns else "there is none"
        raise refuse(field, "names no number that all traces have", known)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise refuse(field, "has no number after the equals sign", "write NAME=VALUE, as last_score=0.9")
    return name, number
