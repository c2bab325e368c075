"""What ``tokens`` reads: what the model thought of each token, in the ways that servers and engines tell it, or traces."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import at_most, refuse, same_length
from epf.entropy.core.information import FloatArray
from epf.entropy.core.schema import Number, example
from epf.entropy.tokens.advantages import Advantage, outcome_advantages, process_advantages
from epf.entropy.tokens.maths import Drawn, Form, WeightMap, drawn_from, entropy_bounds
from epf.entropy.traces import Trace, TraceInput

MAX_NUMBERS = 4_000_000
MAX_LOG_RATIO = 20.0
ROUNDING = 1e-3
"""So much may log probabilities and entropies that were written with four digits disagree."""

LogProb = Annotated[float, Field(ge=-1e9, le=0)]
Entropy = Annotated[float, Field(ge=0, le=100)]
Row = Annotated[list[LogProb], Field(min_length=1)]


class TokensInput(TraceInput):
    """Tokens in rows, one row per step or per trace, with what the model thought of each; or traces."""

    model_config = example(
        logprobs=[[-0.1054, -0.6931], [-2.3026], [-3.912]],
        entropies=[[0.4, 0.7], [1.5], [2.0]],
        advantages=[1.0, -1.0, 1.0],
        form="released",
    )

    logprobs: list[Row] = Field([], description="Log probability of each token, in nats; with entropies or top_logprobs.")
    entropies: list[list[Entropy]] = Field([], description="Entropy of the distribution each was drawn from, in nats.")
    top_logprobs: list[list[Row]] = Field(
        [], description="In place of entropies: of each token the log probabilities of the likeliest ones, which bound it."
    )
    vocabulary: int | None = Field(None, ge=1, description="Size of the vocabulary, for the upper of these bounds.")
    logits: list[Annotated[list[Annotated[list[Number], Field(min_length=2)]], Field(min_length=1)]] = Field(
        [], description="In place of all these: the whole distribution at each token; with chosen."
    )
    chosen: list[list[Annotated[int, Field(ge=0)]]] = Field([], description="Index of each token in its logits.")
    old_logprobs: list[list[LogProb]] = Field(
        [], description="Log probability of each token when it was drawn; left out, the policy has not changed since."
    )
    advantages: list[Number] = Field([], description="Advantage of each row; left out, 1: what if it were reinforced?")
    names: list[Annotated[str, Field(max_length=200)]] = Field(
        [], description="Of each row. Of traces: number of the trace and of the step, both from 0, as in 3.1."
    )
    advantage: Advantage = Field(
        "reinforce",
        description="Of traces. reinforce: 1 for every token. correct: right against wrong answers of the same problem, as in "
        "GRPO. scores: the reward model's scores of this step and those that follow, as in GRPO with process supervision.",
    )
    form: Form = Field(
        "theorem",
        description="theorem: the paper's estimate. released: what the authors' code computes. full: exact to first order, "
        "needs logits.",
    )
    weights: WeightMap = Field("linear", description="How the change becomes a weight.")
    wmin: float = Field(0.8, gt=0, le=1, description="Weight at the largest change.")
    wmax: float = Field(1.2, ge=1, le=100, description="Weight at the smallest change, of linear weights only.")
    clip_low: float = Field(0.2, ge=0, le=1, description="The gradient stops below the ratio 1 - this, for A < 0.")
    clip_high: float = Field(0.28, ge=0, le=1e6, description="The gradient stops above the ratio 1 + this, for A > 0.")


def drawn_of(given: TokensInput) -> tuple[Drawn, FloatArray | None]:
    """The tokens, and where the entropy is known by bounds only, the upper ones beside the lower."""
    for name, of in (("chosen", "logits"), ("vocabulary", "top_logprobs")):
        if getattr(given, name) and not getattr(given, of):
            raise refuse(name, f"belongs to {of}", f"give {of} as well, or leave it out")
    ways = [name for name in ("entropies", "top_logprobs", "logits") if getattr(given, name)]
    if not ways:
        raise refuse("entropies", "is missing", "give logprobs with entropies or with top_logprobs, or logits with chosen")
    if len(ways) > 1 or (given.logprobs and given.logits):
        raise refuse(ways[-1], "is given beside another way to tell the same", "give one of them")
    if given.logits:
        _aligned("chosen", given.chosen, "logits", given.logits)
        return _whole(given.logits, given.chosen), None
    if given.form == "full":
        raise refuse("form", "is full, which needs whole distributions", "give logits and chosen, or choose another form")
    _aligned(ways[0], getattr(given, ways[0]), "logprobs", given.logprobs)
    log_p = _flat("logprobs", given.logprobs)
    if given.entropies:
        return Drawn(log_p, _flat("entropies", given.entropies)), None
    least, most = _bounds(given.top_logprobs, given.vocabulary)
    return Drawn(log_p, least), most


def _whole(rows: Sequence[Sequence[Sequence[float]]], chosen: Sequence[Sequence[int]]) -> Drawn:
    k = len(rows[0][0])
    at_most("logits", sum(map(len, rows)) * k, MAX_NUMBERS, "numbers")
    for i, row in enumerate(rows):
        for j, logits in enumerate(row):
            if len(logits) != k:
                raise refuse(f"logits.{i}.{j}", f"has {len(logits)} numbers, but the first has {k}", "give whole distributions")
            if chosen[i][j] >= k:
                raise refuse(f"chosen.{i}.{j}", f"is {chosen[i][j]}", f"its logits are 0 to {k - 1}")
    flat = np.array([logits for row in rows for logits in row], dtype=np.float64)
    return drawn_from(flat, np.array([index for row in chosen for index in row]))


def _bounds(rows: Sequence[Sequence[Sequence[float]]], vocabulary: int | None) -> tuple[FloatArray, FloatArray | None]:
    """Bounds of each token's entropy; tokens may have different numbers of likeliest ones."""
    widest = max(len(top) for row in rows for top in row)
    at_most("top_logprobs", sum(map(len, rows)) * widest, MAX_NUMBERS, "numbers, with all as the longest")
    if vocabulary is not None and vocabulary < widest:
        raise refuse("vocabulary", f"is {vocabulary}, but there are {widest} likeliest tokens", "give its whole size")
    for i, row in enumerate(rows):
        for j, top in enumerate(row):
            if (total := float(np.exp(top).sum())) > 1 + ROUNDING:
                raise refuse(f"top_logprobs.{i}.{j}", f"has probabilities that sum to {total:.6g}", "give them normalised")
    tops = [top for row in rows for top in row]
    lengths = np.array([len(top) for top in tops])
    least = np.empty(lengths.size)
    most = None if vocabulary is None else np.empty(lengths.size)
    for k in np.unique(lengths):
        of_k = np.flatnonzero(lengths == k)
        least[of_k], highest = entropy_bounds(np.array([tops[i] for i in of_k]), vocabulary)
        if most is not None and highest is not None:
            most[of_k] = highest
    return least, most


def log_ratio_of(given: TokensInput, drawn: Drawn) -> FloatArray:
    """Log of pi over pi_old for each token; 0 where the old policy is not told."""
    if not given.old_logprobs:
        return np.zeros_like(drawn.log_p)
    rows = given.logits or given.logprobs
    _aligned("old_logprobs", given.old_logprobs, "logits" if given.logits else "logprobs", rows)
    log_ratio = drawn.log_p - _flat("old_logprobs", given.old_logprobs)
    for (i,) in np.argwhere(np.abs(log_ratio) > MAX_LOG_RATIO)[:1]:
        row, column = [(i, j) for i, old in enumerate(given.old_logprobs) for j in range(len(old))][i]
        complaint = f"is {abs(log_ratio[i]):.4g} nats from the new one"
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
    """One row for each step that has tokens."""
    for name in ARRAYS:
        if name in given.model_fields_set:
            raise refuse(name, "is given beside traces", "give one or the other")
    advantages = _advantages(traces, given.advantage)
    rows: dict[str, list[object]] = {"logprobs": [], "entropies": [], "advantages": [], "names": []}
    for i, trace in enumerate(traces):
        logprobs = _per_token(f"traces.{i}.logprobs", trace.logprobs, most=0.0)
        entropies = _per_token(f"traces.{i}.entropies", trace.entropies, least=0.0)
        for j, values in enumerate(
            zip(logprobs, entropies, advantages[i], (f"{i}.{j}" for j in range(len(logprobs))), strict=True)
        ):
            if logprobs[j]:
                for column, value in zip(rows.values(), values, strict=True):
                    column.append(value)
    if not rows["names"]:
        raise refuse("traces", "has no tokens", "give logprobs and entropies of at least one step")
    return given.model_copy(update=rows)


def _per_token(
    field: str, rows: list[list[float]] | None, *, least: float = float("-inf"), most: float = float("inf")
) -> list[list[float]]:
    """Values of one trace, each within its limits; rounding may carry them just over."""
    if rows is None:
        raise refuse(field, "is missing", "record it for every token")
    for j, row in enumerate(rows):
        for k, value in enumerate(row):
            if not least - ROUNDING <= value <= most + ROUNDING:
                limit = "at most 0" if most == 0 else "at least 0"
                raise refuse(f"{field}.{j}.{k}", f"is {value:g}", f"it is {limit}, in nats")
    return [[min(max(value, least), most) for value in row] for row in rows]


def _advantages(traces: Sequence[Trace], kind: Advantage) -> list[list[float]]:
    """One for each step of each trace."""
    if kind == "reinforce":
        return [[1.0] * len(trace.steps) for trace in traces]
    groups = [trace.problem for trace in traces]
    if kind == "correct":
        for i, trace in enumerate(traces):
            if trace.correct is None:
                raise refuse(f"traces.{i}.correct", "is missing", "tell it of every trace, or choose another advantage")
        found = outcome_advantages([float(bool(trace.correct)) for trace in traces], groups)
        return [[float(of_trace)] * len(trace.steps) for of_trace, trace in zip(found, traces, strict=True)]
    for i, trace in enumerate(traces):
        if trace.scores is None or len(trace.scores) != len(trace.steps):
            raise refuse(f"traces.{i}.scores", "is not one for each step", "score every step, or choose another advantage")
    return [steps.tolist() for steps in process_advantages([trace.scores or [] for trace in traces], groups)]
