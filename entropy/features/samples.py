"""What ``features`` reads: codes, hidden states or labels of samples, or traces."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import at_most, matrix, refuse, same_length
from epf.entropy.core.information import FloatArray, IntArray, log_softmax
from epf.entropy.core.lattice import codes_of
from epf.entropy.core.schema import Label, Number, example
from epf.entropy.features.autoencoder import Fitted, encode, fit
from epf.entropy.traces import Trace, TraceInput

MAX_NUMBERS = 4_000_000
MAX_CODES = 16_000_000
"""Most states times features."""
MAX_FIT_WORK = 1e11
"""Most states times dimensions times features times epochs: about 40 s on one core."""
EPOCHS = 800
"""Most passes unless more are asked for, as in the paper's code."""
NO_ANSWER = "none"

Row = Annotated[list[Number], Field(min_length=1)]


class FeaturesInput(TraceInput):
    """Activations or labels of samples, one row or label each, perhaps in groups; or traces."""

    model_config = example(
        activations=[[1.0, 0.0, 2.0, 0.0], [3.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]], groups=["right", "right", "wrong"]
    )

    activations: list[Row] = Field([], description="Codes of a sparse autoencoder or hidden states, one row per sample.")
    labels: list[Label] = Field([], description="In place of activations: the one feature of each sample, such as its answer.")
    groups: list[Label] = Field(
        [], description="What each sample belongs to, counted by itself: right or wrong, number of the step."
    )
    kind: Literal["codes", "hidden_states"] = Field(
        "codes",
        description="Of activations. hidden_states are encoded first: by the encoder if there is one, else a sparse "
        "autoencoder is fitted to them.",
    )
    encoder: list[Row] = Field([], description="Weights of a given autoencoder, one row per dimension of a state.")
    encoder_bias: list[Number] = Field([], description="Its bias, one number per feature; left out, 0.")
    neurons: int | None = Field(None, ge=1, description="N of psi; left out, the dimensions of hidden states.")
    expansion: int = Field(4, ge=1, le=64, description="Of the autoencoder that is fitted: features per dimension.")
    sparsity: float = Field(0.2, ge=0, le=100, description="Its price of activation, beside a mean squared length of 1.")
    epochs: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Most passes over the states; left out, up to 800, as time allows. It stops when nothing is gained.",
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Of the autoencoder's start and of the resampling.")
    resamples: int = Field(400, ge=0, le=10_000, description="For the intervals; 0 for none.")
    of: Literal["answers", "particles"] = Field(
        "answers", description="Of traces, for each problem: distinct answers, or particles by their weights."
    )


def members(groups: Sequence[Label]) -> list[tuple[Label, IntArray]]:
    """Each group with its samples, in order of first occurrence; true is no 1 here."""
    found: defaultdict[tuple[type, Label], list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        found[type(group), group].append(i)
    return [(group, np.array(rows)) for (_, group), rows in found.items()]


def encoded(given: FeaturesInput, x: FloatArray) -> tuple[FloatArray, Fitted | None]:
    """Codes of hidden states, by the given encoder or by one that is fitted."""
    n, d = x.shape
    if not given.encoder:
        if given.encoder_bias:
            raise refuse("encoder_bias", "is given without an encoder", "give its weights, or leave both out")
        if n < 2:
            raise refuse("activations", "has one state", "give more, or the encoder to use")
        width = given.expansion * d
        if n * width > MAX_CODES:
            raise refuse("expansion", f"makes {n * width} codes", f"at most {MAX_CODES}: lower it, or give fewer states")
        affordable = int(MAX_FIT_WORK / (n * d * width))
        if affordable < (given.epochs or 1):
            raise refuse(
                "epochs", f"is more than the {affordable} that these states can have", "lower it, or give fewer states"
            )
        epochs = given.epochs or min(EPOCHS, affordable)
        fitted = fit(x, width=width, sparsity=given.sparsity, epochs=epochs, seed=given.seed)
        return fitted.codes, fitted
    weights = matrix("encoder", given.encoder, max_values=MAX_NUMBERS)
    if len(weights) != d:
        raise refuse("encoder", f"has {len(weights)} rows, but the states {d} dimensions", "give one row per dimension")
    bias = np.zeros(weights.shape[1])
    if given.encoder_bias:
        same_length("encoder_bias", given.encoder_bias, "encoder.0", given.encoder[0])
        bias = np.array(given.encoder_bias)
    if n * weights.shape[1] > MAX_CODES:
        raise refuse("activations", f"makes {n * weights.shape[1]} codes", f"at most {MAX_CODES}: give fewer states")
    return np.asarray(encode(x, weights, bias), dtype=np.float64), None


def from_traces(traces: Sequence[Trace], given: FeaturesInput) -> FeaturesInput:
    """One group for each problem, numbered in the order in which they first occur; no answer counts as one of its own."""
    if "groups" in given.model_fields_set:
        raise refuse("groups", "is given beside traces", "leave it out: each problem is a group")
    field = "answer" if given.of == "answers" else "log_weight"
    if all(getattr(trace, field) is None for trace in traces):
        raise refuse(f"traces.0.{field}", "is missing, as in all traces", "give it, or choose something else to count")
    problem = codes_of(trace.problem for trace in traces)
    several = int(problem.max()) > 0
    if given.of == "answers":
        answers = [trace.answer if trace.answer is not None else NO_ANSWER for trace in traces]
        return given.model_copy(update={"labels": answers, "groups": problem.tolist() if several else []})
    rows = members(problem.tolist())
    widest = max(len(row) for _, row in rows)
    at_most("traces", len(rows) * widest, MAX_NUMBERS, "particles, with all problems as the largest")
    weights = np.zeros((len(rows), widest))
    for number, (_, row) in enumerate(rows):
        alive = [log for log in (traces[i].log_weight for i in row) if log is not None]
        if alive:
            weights[number, : len(alive)] = np.exp(log_softmax(alive))
    groups = list(range(len(rows))) if several else []
    return given.model_copy(update={"activations": weights.tolist(), "groups": groups})
