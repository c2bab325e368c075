"""The tokens of ``tokens``, with the entropies or bounds that the request contains, and rows from traces."""

import math
from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, exclusive, number_of, refuse, same_length
from epf.entropy.core.information import FloatArray
from epf.entropy.tokens.advantages import Advantage, outcome_advantages, process_advantages
from epf.entropy.tokens.maths import Drawn, drawn_from, entropy_bounds
from epf.entropy.tokens.schema import TokensInput
from epf.entropy.traces import Trace

MAX_NUMBERS = 4_000_000
MAX_LOG_RATIO = 20.0
ROUNDING = 1e-3
"""Maximum disagreement between log probabilities and entropies that were printed with four digits."""


def drawn_of(given: TokensInput) -> tuple[Drawn, FloatArray | None]:
    """The tokens, and the upper bounds of their entropies if only bounds are known; the tokens then have the lower ones."""
    for name, of in (("chosen", "logits"), ("vocabulary", "top_logprobs")):
        if getattr(given, name) and not getattr(given, of):
            raise refuse(name, f"requires {of}", f"give {of} as well, or leave it out")
    forms = [name for name in ("entropies", "top_logprobs", "logits") if getattr(given, name)]
    if not forms:
        raise refuse("entropies", "is missing", "give logprobs with entropies or with top_logprobs, or logits with chosen")
    if len(forms) > 1 or (given.logprobs and given.logits):
        raise refuse(forms[-1], "cannot be combined with another form of the same information", "give one form")
    if given.logits:
        _aligned("chosen", given.chosen, "logits", given.logits)
        return _whole(given.logits, given.chosen), None
    if given.form == "full":
        raise refuse("form", "is full, which needs complete distributions", "give logits and chosen, or choose another form")
    _aligned(forms[0], getattr(given, forms[0]), "logprobs", given.logprobs)
    log_p = _flat("logprobs", given.logprobs)
    if given.entropies:
        return Drawn(log_p, _flat("entropies", given.entropies)), None
    least, most = _bounds(given.logprobs, given.top_logprobs, given.vocabulary)
    return Drawn(log_p, least), most


def _whole(rows: Sequence[Sequence[Sequence[float]]], chosen: Sequence[Sequence[int]]) -> Drawn:
    k = len(rows[0][0])
    at_most("logits", sum(map(len, rows)) * k, MAX_NUMBERS, "numbers")
    for i, row in enumerate(rows):
        for j, logits in enumerate(row):
            if len(logits) != k:
                complaint = f"has {number_of(len(logits), 'number')}, but logits.0.0 has {k}"
                raise refuse(f"logits.{i}.{j}", complaint, "give complete distributions")
            if chosen[i][j] >= k:
                raise refuse(f"chosen.{i}.{j}", f"is {chosen[i][j]}", f"choose an index from 0 to {k - 1}")
    flat = np.array([logits for row in rows for logits in row], dtype=np.float64)
    return drawn_from(flat, np.array([index for row in chosen for index in row]))


def _bounds(
    sampled: Sequence[Sequence[float]], rows: Sequence[Sequence[Sequence[float]]], vocabulary: int | None
) -> tuple[FloatArray, FloatArray | None]:
    """Bounds of each token's entropy; the number of most likely tokens may differ between positions.

    A sampled token that is not among the most likely ones is one more token whose probability is known.
    """
    widest = 1 + max(len(top) for row in rows for top in row)
    at_most("top_logprobs", sum(map(len, rows)) * widest, MAX_NUMBERS, "numbers, counting every list like the longest")
    known = []
    for i, (row, values) in enumerate(zip(rows, sampled, strict=True)):
        for j, (top, value) in enumerate(zip(row, values, strict=True)):
            if (total := float(np.exp(top).sum())) > 1 + ROUNDING:
                complaint = f"has probabilities that sum to {total:.6g}"
                raise refuse(f"top_logprobs.{i}.{j}", complaint, "give normalised log probabilities")
            known.append(top if _listed(value, top) or total + math.exp(value) > 1 + ROUNDING else [*top, value])
    lengths = np.array([len(one) for one in known])
    if vocabulary is not None and vocabulary < lengths.max():
        complaint = f"is {vocabulary}, less than the {lengths.max()} tokens whose probability is known"
        raise refuse("vocabulary", complaint, "give its total size")
    least = np.empty(lengths.size)
    most = None if vocabulary is None else np.empty(lengths.size)
    for k in np.unique(lengths):
        of_k = np.flatnonzero(lengths == k)
        least[of_k], highest = entropy_bounds(np.array([known[i] for i in of_k]), vocabulary)
        if most is not None and highest is not None:
            most[of_k] = highest
    return least, most


def _listed(value: float, top: Sequence[float]) -> bool:
    """Whether a log probability is one of a list, up to rounding."""
    return any(abs(value - one) <= ROUNDING for one in top)


def log_ratio_of(given: TokensInput, drawn: Drawn) -> FloatArray:
    """Logarithm of pi over pi_old for each token; 0 if the request does not contain the old policy."""
    if not given.old_logprobs:
        return np.zeros_like(drawn.log_p)
    rows = given.logits or given.logprobs
    _aligned("old_logprobs", given.old_logprobs, "logits" if given.logits else "logprobs", rows)
    log_ratio = drawn.log_p - _flat("old_logprobs", given.old_logprobs)
    for (i,) in np.argwhere(np.abs(log_ratio) > MAX_LOG_RATIO)[:1]:
        row, column = [(i, j) for i, old in enumerate(given.old_logprobs) for j in range(len(old))][i]
        complaint = f"differs by {abs(log_ratio[i]):.4g} nats from the new log probability"
        raise refuse(f"old_logprobs.{row}.{column}", complaint, "give log probabilities of the same tokens")
    return log_ratio


def _flat(field: str, rows: Sequence[Sequence[float]]) -> FloatArray:
    at_most(field, sum(map(len, rows)), MAX_NUMBERS, "numbers")
    return np.array([value for row in rows for value in row], dtype=np.float64)


def _aligned(field: str, rows: Sequence[Sequence[object]], other_field: str, others: Sequence[Sequence[object]]) -> None:
    same_length(field, rows, other_field, others)
    for i, (row, other) in enumerate(zip(rows, others, strict=True)):
        same_length(f"{field}.{i}", row, f"{other_field}.{i}", other)


ARRAYS = ("logprobs", "logits", "entropies", "top_logprobs", "chosen", "old_logprobs", "advantages", "names")


def from_traces(traces: Sequence[Trace], given: TokensInput) -> TokensInput:
    """Makes one row per step that has tokens, without the tokens that have no log probability.

    If every trace has entropies, they are used; otherwise the most likely tokens of each trace, as far as they are known, bound
    them.
    """
    for name in ARRAYS:
        if name in given.model_fields_set:
            raise exclusive(name, "traces")
    bounded = any(trace.entropies is None for trace in traces)
    form = "top_logprobs" if bounded else "entropies"
    advantages = _advantages(traces, given.advantage)
    if not any(map(any, advantages)):
        fix = "give several solutions of each problem, right and wrong ones, or reinforce every token"
        raise refuse("traces", "have no advantage, because all solutions of each problem are equally good", fix)
    rows: dict[str, list[object]] = {"logprobs": [], form: [], "advantages": [], "names": []}
    for i, trace in enumerate(traces):
        logprobs = _per_token(f"traces.{i}.logprobs", trace.logprobs, most=0.0)
        if bounded:
            others: Sequence[Sequence[object]] = _tops(f"traces.{i}.top_logprobs", trace, logprobs)
        else:
            others = _per_token(f"traces.{i}.entropies", trace.entropies, least=0.0)
        for j, (step, of_step) in enumerate(zip(logprobs, others, strict=True)):
            known = [(value, other) for value, other in zip(step, of_step, strict=True) if value is not None]
            if known:
                row = ([value for value, _ in known], [other for _, other in known], advantages[i][j], f"{i}.{j}")
                for column, value in zip(rows.values(), row, strict=True):
                    column.append(value)
    if not rows["names"]:
        raise refuse("traces", "have no tokens", f"give logprobs and {form} of at least one step")
    return given.model_copy(update=rows)


def without_logprob(traces: Sequence[Trace]) -> int:
    """Number of tokens that have no log probability."""
    return sum(value is None for trace in traces for step in trace.logprobs or () for value in step)


def _tops(field: str, trace: Trace, logprobs: Sequence[Sequence[object]]) -> list[list[list[float]]]:
    """The most likely tokens of each token of a trace; none where they are not known."""
    if trace.top_logprobs is None:
        return [[[] for _ in step] for step in logprobs]
    for j, step in enumerate(trace.top_logprobs):
        for k, top in enumerate(step):
            if top and max(top) > ROUNDING:
                raise refuse(f"{field}.{j}.{k}", f"has {max(top):g}", "give values of at most 0, in nats")
    return [[[min(value, 0.0) for value in top] for top in step] for step in trace.top_logprobs]


def _per_token(
    field: str, rows: Sequence[Sequence[float | None]] | None, *, least: float = float("-inf"), most: float = float("inf")
) -> list[list[float | None]]:
    """Values of one trace, clipped to their limits, which rounding may exceed slightly; None for a token without one."""
    if rows is None:
        raise refuse(field, "is missing", "record it for every token")
    for j, row in enumerate(rows):
        for k, value in enumerate(row):
            if value is not None and not least - ROUNDING <= value <= most + ROUNDING:
                limit = "at most 0" if most == 0 else "at least 0"
                raise refuse(f"{field}.{j}.{k}", f"is {value:g}", f"give a value of {limit}, in nats")
    return [[None if value is None else min(max(value, least), most) for value in row] for row in rows]


def _advantages(traces: Sequence[Trace], kind: Advantage) -> list[list[float]]:
    """The advantage of each step of each trace."""
    if kind == "reinforce":
        return [[1.0] * len(trace.steps) for trace in traces]
    groups = [trace.problem for trace in traces]
    if kind == "correct":
        for i, trace in enumerate(traces):
            if trace.correct is None:
                raise refuse(f"traces.{i}.correct", "is missing", "give it for every trace, or choose another advantage")
        found = outcome_advantages([float(bool(trace.correct)) for trace in traces], groups)
        return [[float(of_trace)] * len(trace.steps) for of_trace, trace in zip(found, traces, strict=True)]
    for i, trace in enumerate(traces):
        if trace.scores is None or len(trace.scores) != len(trace.steps):
            raise refuse(f"traces.{i}.scores", "does not have one score per step", "add them, or choose another advantage")
    return [steps.tolist() for steps in process_advantages([trace.scores or [] for trace in traces], groups)]
