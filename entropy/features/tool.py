"""``features`` as a tool."""

from collections.abc import Callable, Sequence

import numpy as np

from epf.entropy.core.checks import SAMPLES_PER_VALUE, at_most, exclusive, matrix, refuse, same_length, too_few
from epf.entropy.core.information import IntArray
from epf.entropy.core.lattice import codes_of
from epf.entropy.core.schema import Label
from epf.entropy.features.display import conclusion, plot, tables
from epf.entropy.features.maths import Effective, effective_features, effective_values
from epf.entropy.features.samples import MAX_NUMBERS, encoded, from_traces, members
from epf.entropy.features.schema import FeatureOut, FeaturesInput, FeaturesOutput, FitOut, GroupOut
from epf.entropy.tooling.tool import Tool

MAX_DRAWS = 4e8
"""Maximum product of samples and resamples."""
MAX_RESAMPLED = 1e10
"""Maximum product of numbers and resamples."""
MAX_TOP = 10
"""Maximum number of largest shares in the output."""
NEAR_WIDTH = 0.9
"""An effective number above this part of the autoencoder's width leads to a warning."""
POOR_FIT = 0.5
"""A smaller explained part of the variance leads to a warning."""
WHOLE = "all"


def run(given: FeaturesInput) -> FeaturesOutput:
    """Computes :mod:`epf.entropy.features.maths`."""
    if given.activations and given.labels:
        raise exclusive("labels", "activations")
    return _of_labels(given) if given.labels else _of_activations(given)


def _of_labels(given: FeaturesInput) -> FeaturesOutput:
    for name in ("kind", "encoder", "encoder_bias", "neurons"):
        if name in given.model_fields_set:
            raise refuse(name, "cannot be combined with labels", "leave it out; it applies to activations")
    labels, rng = codes_of((type(label), label) for label in given.labels), np.random.default_rng(given.seed)
    at_most("labels", len(labels), MAX_NUMBERS, "labels")
    _affordable(given, len(labels), 1)

    def count(rows: IntArray) -> Effective:
        return effective_values(np.unique(labels[rows], return_counts=True)[1], resamples=given.resamples, rng=rng)

    names: list[Label] = [given.labels[i] for i in np.unique(labels, return_index=True)[1]]
    found = _counted(given, "labels", len(labels), names, count, None)
    n_few = sum(group.n_samples < SAMPLES_PER_VALUE * group.active for group in found.groups)
    warnings = [] if found.groups else too_few("labels", len(labels), len(names))
    if n_few:
        warnings.append(
            f"{n_few} of {len(found.groups)} groups have fewer than {SAMPLES_PER_VALUE} samples per value; their effective "
            "numbers are underestimated."
        )
    return found.model_copy(update={"warnings": warnings})


def _of_activations(given: FeaturesInput) -> FeaturesOutput:
    x = matrix("activations", given.activations, max_values=MAX_NUMBERS)
    states = given.kind == "hidden_states"
    if not states and (given.encoder or given.encoder_bias):
        raise refuse("encoder", "applies to hidden states only", "set kind to hidden_states, or leave it out")
    codes, fitted = encoded(given, x) if states else (x, None)
    _affordable(given, *codes.shape)
    rng = np.random.default_rng(given.seed)

    def count(rows: IntArray) -> Effective:
        return effective_features(codes[rows], resamples=given.resamples, rng=rng)

    n, width = codes.shape
    neurons = given.neurons or (x.shape[1] if states else None)
    found = _counted(given, "activations", n, range(width), count, neurons)
    warnings = []
    if not codes.any():
        warnings.append("All codes are 0, so no feature is active.")
    if fitted is None:
        return found.model_copy(update={"warnings": warnings})
    if found.whole is not None and found.whole.effective > NEAR_WIDTH * width:
        warnings.append(
            f"Nearly all of the {width} features are in use, so the width of the autoencoder limits this count: raise "
            "expansion or sparsity."
        )
    if fitted.explained < POOR_FIT:
        warnings.append(
            f"The autoencoder reconstructs {fitted.explained:.0%} of the states, so these are not the states' features. Give "
            "more states or epochs, or lower sparsity."
        )
    fit_out = FitOut(width=width, explained=fitted.explained, per_state=fitted.per_state, epochs=fitted.epochs)
    return found.model_copy(update={"warnings": warnings, "fitted": fit_out})


def _affordable(given: FeaturesInput, n: int, width: int) -> None:
    limit = int(min(MAX_DRAWS / n, MAX_RESAMPLED / (n * width)))
    if given.resamples > limit:
        raise refuse("resamples", f"is {given.resamples}, too many for {n} samples of {width} numbers", f"at most {limit}")


def _counted(
    given: FeaturesInput,
    field: str,
    n: int,
    names: Sequence[Label],
    count: Callable[[IntArray], Effective],
    neurons: int | None,
) -> FeaturesOutput:
    """Counts all n samples together and each group."""
    if given.groups:
        same_length("groups", given.groups, field, range(n))
    groups = [_group(name, rows.size, count(rows), neurons) for name, rows in members(given.groups)]
    common = not groups or not (given.traces or given.solved)
    whole = count(np.arange(n)) if common else None
    return FeaturesOutput(
        n_features=len(names),
        neurons=neurons,
        whole=None if whole is None else _group(WHOLE, n, whole, neurons),
        groups=groups,
        mean=float(np.mean([group.effective for group in groups])) if groups else None,
        top=[] if whole is None else _top(whole, names),
        fitted=None,
        warnings=[],
    )


def _group(name: Label, n: int, found: Effective, neurons: int | None) -> GroupOut:
    return GroupOut(
        group=name,
        n_samples=n,
        effective=found.number,
        low=found.low,
        high=found.high,
        active=found.active,
        order_2=found.order_2,
        psi=None if neurons is None else found.number / neurons,
    )


def _top(found: Effective, names: Sequence[Label]) -> list[FeatureOut]:
    order = np.argsort(-found.shares, kind="stable")[:MAX_TOP]
    return [FeatureOut(feature=names[i], share=float(found.shares[i])) for i in order if found.shares[i] > 0]


TOOL = Tool(
    name="features",
    question="How many features, answers or particles are effectively in use?",
    paper="Superposition as Lossy Compression (arXiv 2512.13568)",
    input=FeaturesInput,
    arrays=("activations", "labels"),
    output=FeaturesOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
    one_of=True,
)
