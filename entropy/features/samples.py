"""The samples of ``features``: groups, codes of hidden states, and samples from traces."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, matrix, refuse, same_length
from epf.entropy.core.information import FloatArray, IntArray, log_softmax
from epf.entropy.core.lattice import codes_of
from epf.entropy.core.schema import Label
from epf.entropy.features.autoencoder import Fitted, encode, fit
from epf.entropy.features.schema import FeaturesInput
from epf.entropy.traces import Trace

MAX_NUMBERS = 4_000_000
MAX_CODES = 16_000_000
"""Maximum product of states and features."""
MAX_FIT_WORK = 1e11
"""Maximum product of states, dimensions, features and epochs: about 40 s on one core."""
EPOCHS = 800
"""Maximum number of passes unless the request asks for more, as in the paper's code."""
NO_ANSWER = "none"


def members(groups: Sequence[Label]) -> list[tuple[Label, IntArray]]:
    """Each group with its samples, in order of first occurrence; ``True`` and 1 are different groups."""
    found: defaultdict[tuple[type, Label], list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        found[type(group), group].append(i)
    return [(group, np.array(rows)) for (_, group), rows in found.items()]


def encoded(given: FeaturesInput, x: FloatArray) -> tuple[FloatArray, Fitted | None]:
    """Codes of hidden states, from the given encoder or from an autoencoder that is fitted."""
    n, d = x.shape
    if not given.encoder:
        if given.encoder_bias:
            raise refuse("encoder_bias", "requires an encoder", "give its weights, or leave both out")
        if n < 2:
            raise refuse("activations", "has one state", "give more states, or an encoder")
        width = given.expansion * d
        if n * width > MAX_CODES:
            raise refuse("expansion", f"gives {n * width} codes, more than {MAX_CODES}", "lower it, or give fewer states")
        affordable = int(MAX_FIT_WORK / (n * d * width))
        if affordable < (given.epochs or 1):
            complaint = f"is too large: the maximum for these states is {affordable}"
            raise refuse("epochs", complaint, "lower it, or give fewer states")
        epochs = given.epochs or min(EPOCHS, affordable)
        fitted = fit(x, width=width, sparsity=given.sparsity, epochs=epochs, seed=given.seed)
        return fitted.codes, fitted
    weights = matrix("encoder", given.encoder, max_values=MAX_NUMBERS)
    if len(weights) != d:
        raise refuse("encoder", f"has {len(weights)} rows, but states have {d} dimensions", "give one row per dimension")
    bias = np.zeros(weights.shape[1])
    if given.encoder_bias:
        same_length("encoder_bias", given.encoder_bias, "encoder.0", given.encoder[0])
        bias = np.array(given.encoder_bias)
    if n * weights.shape[1] > MAX_CODES:
        n_codes = n * weights.shape[1]
        raise refuse("activations", f"gives {n_codes} codes, more than {MAX_CODES}", "give fewer states")
    return np.asarray(encode(x, weights, bias), dtype=np.float64), None


def from_traces(traces: Sequence[Trace], given: FeaturesInput) -> FeaturesInput:
    """Makes one group per problem, numbered in order of first occurrence; a missing answer counts as an answer."""
    if "groups" in given.model_fields_set:
        raise refuse("groups", "cannot be combined with traces", "leave it out; each problem is a group")
    field = "answer" if given.of == "answers" else "log_weight"
    if all(getattr(trace, field) is None for trace in traces):
        raise refuse(f"traces.0.{field}", "is missing, as in all traces", "give it, or set `of` to the other value")
    problem = codes_of(trace.problem for trace in traces)
    if int(problem.max()) + 1 == len(traces):
        complaint = "have one solution of each problem, and the effective number of one is always 1"
        raise refuse("traces", complaint, "give several solutions of each problem, or the answers as `labels`")
    several = int(problem.max()) > 0
    if given.of == "answers":
        answers = [trace.answer if trace.answer is not None else NO_ANSWER for trace in traces]
        return given.model_copy(update={"labels": answers, "groups": problem.tolist() if several else []})
    rows = members(problem.tolist())
    widest = max(len(row) for _, row in rows)
    at_most("traces", len(rows) * widest, MAX_NUMBERS, "particles, counting every problem like the largest")
    weights = np.zeros((len(rows), widest))
    for number, (_, row) in enumerate(rows):
        alive = [log for log in (traces[i].log_weight for i in row) if log is not None]
        if alive:
            weights[number, : len(alive)] = np.exp(log_softmax(alive))
    groups = list(range(len(rows))) if several else []
    return given.model_copy(update={"activations": weights.tolist(), "groups": groups})
