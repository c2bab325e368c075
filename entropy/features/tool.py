"""``features`` for HTTP and command line."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import SAMPLES_PER_VALUE, at_most, matrix, refuse, same_length, too_few
from epf.entropy.core.information import IntArray
from epf.entropy.core.lattice import codes_of
from epf.entropy.core.schema import Label, Result, Strict
from epf.entropy.features.maths import Effective, effective_features, effective_values
from epf.entropy.features.samples import MAX_NUMBERS, FeaturesInput, encoded, from_traces, members
from epf.entropy.tooling.tool import Table, Tool

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_DRAWS = 4e8
"""Most samples times resamples."""
MAX_RESAMPLED = 1e10
"""Most numbers times resamples."""
MOST_SHOWN = 10
"""Features in the tables."""
MOST_GROUPS = 24
"""Groups in the tables and the picture."""
NEAR_WIDTH = 0.9
POOR_FIT = 0.5
WHOLE = "all"


class GroupOut(Strict):
    """Samples that are counted together."""

    group: Label
    n_samples: int
    effective: float = Field(description="Effective number of features; 0 if none is active.")
    low: float | None = Field(description="95 % interval over samples like these; null for fewer than two.")
    high: float | None
    active: int = Field(description="Features with any activation.")
    order_2: float = Field(description="1 / sum of squared shares, of particles the effective sample size.")
    psi: float | None = Field(description="Effective features per neuron: above 1 they are superposed.")


class FeatureOut(Strict):
    """A feature and its part of all activation."""

    feature: Label
    share: float


class FitOut(Strict):
    """The autoencoder that was fitted."""

    width: int
    explained: float = Field(description="Part of the variance of held-out states that it reconstructs.")
    per_state: float = Field(description="Mean number of features active in a state.")
    epochs: int


class FeaturesOutput(Result):
    """How many features are effectively in use, of all samples and of each group."""

    n_features: int = Field(description="Features that there are.")
    neurons: int | None
    whole: GroupOut | None = Field(description="All samples; null for traces of several problems, which share no features.")
    groups: list[GroupOut]
    mean: float | None = Field(description="Mean of the groups' effective numbers; null without groups.")
    top: list[FeatureOut] = Field(description="The largest shares of all samples.")
    fitted: FitOut | None


def run(given: FeaturesInput) -> FeaturesOutput:
    """See :mod:`epf.entropy.features.maths`."""
    if given.activations and given.labels:
        raise refuse("labels", "is given beside activations", "give one or the other")
    return _of_labels(given) if given.labels else _of_activations(given)


def _of_labels(given: FeaturesInput) -> FeaturesOutput:
    for name in ("kind", "encoder", "encoder_bias", "neurons"):
        if name in given.model_fields_set:
            raise refuse(name, "is given beside labels", "it belongs to activations; leave it out")
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
            f"{n_few} of {len(found.groups)} groups have fewer than {SAMPLES_PER_VALUE} samples per value: their numbers are "
            "underestimated."
        )
    return found.model_copy(update={"warnings": warnings})


def _of_activations(given: FeaturesInput) -> FeaturesOutput:
    x = matrix("activations", given.activations, max_values=MAX_NUMBERS)
    states = given.kind == "hidden_states"
    if not states and (given.encoder or given.encoder_bias):
        raise refuse("encoder", "is for hidden states", "set kind to hidden_states, or leave it out")
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
        warnings.append("Nothing is active: all codes are 0.")
    if fitted is None:
        return found.model_copy(update={"warnings": warnings})
    if found.whole is not None and found.whole.effective > NEAR_WIDTH * width:
        warnings.append(
            f"Nearly all of the {width} features are in use, so the width of the autoencoder decides this count: raise "
            "expansion or sparsity."
        )
    if fitted.explained < POOR_FIT:
        warnings.append(
            f"The autoencoder explains {fitted.explained:.0%} of the variance: these are not the states' features. Give more "
            "states or epochs, or lower sparsity."
        )
    told = FitOut(width=width, explained=fitted.explained, per_state=fitted.per_state, epochs=fitted.epochs)
    return found.model_copy(update={"warnings": warnings, "fitted": told})


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
    """The counts of all n samples and of each group."""
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
    order = np.argsort(-found.shares, kind="stable")[:MOST_SHOWN]
    return [FeatureOut(feature=names[i], share=float(found.shares[i])) for i in order if found.shares[i] > 0]


def _shown(found: FeaturesOutput) -> list[GroupOut]:
    return [*([] if found.whole is None else [found.whole]), *found.groups[:MOST_GROUPS]]


def tables(found: FeaturesOutput) -> list[Table]:
    """The counts, and the largest features."""
    title = f"{found.n_features} features"
    if found.fitted is not None:
        fitted = found.fitted
        title += f", fitted in {fitted.epochs} epochs: {fitted.explained:.3g} explained, {fitted.per_state:.3g} in a state"
    if found.mean is not None:
        title += f"; {found.mean:.4g} effective in the mean of {len(found.groups)} groups"
    shown = _shown(found)
    counts = Table(
        title,
        ("group", "samples", "effective", "from", "to", "active", "order 2", "per neuron"),
        tuple((str(g.group), g.n_samples, g.effective, g.low, g.high, g.active, g.order_2, g.psi) for g in shown),
    )
    top = Table("Largest shares", ("feature", "share"), tuple((str(f.feature), f.share) for f in found.top))
    return [counts, top] if found.top else [counts]


def plot(found: FeaturesOutput, figure: "Figure") -> None:
    """The effective number of each group with its interval."""
    shown = _shown(found)
    figure.set_size_inches(7, 1.6 + 0.3 * len(shown))
    axes = figure.subplots()
    for place, group in enumerate(shown):
        if group.low is not None and group.high is not None:
            axes.plot([group.low, group.high], [place, place], color="C0")
    places = range(len(shown))
    axes.plot([group.effective for group in shown], places, "o", color="C0", label="effective")
    axes.plot([group.active for group in shown], places, "|", color="grey", label="active")
    axes.set_yticks(places, [f"{group.group} ({group.n_samples})" for group in shown])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(f"features of {found.n_features}")
    axes.legend(frameon=False)


TOOL = Tool(
    name="features",
    question="How many features, answers or particles are effectively in use?",
    paper="Superposition as Lossy Compression (arXiv 2512.13568)",
    input=FeaturesInput,
    arrays=("activations", "labels"),
    output=FeaturesOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
    one_of=True,
)
