"""``maxent`` for HTTP and command line."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.core.checks import at_most, matrix, refuse, same_length, too_few
from epf.entropy.core.information import FloatArray, hill, in_unit, kl
from epf.entropy.maxent.irreversibility import process
from epf.entropy.maxent.maths import Gibbs, gibbs, maxent
from epf.entropy.maxent.process import MOST_SHOWN, counted, process_out, process_tables
from epf.entropy.maxent.schema import FeatureOut, FitOut, MaxentInput, MaxentOutput
from epf.entropy.maxent.traces import from_traces
from epf.entropy.tooling.tool import Table, Tool

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_FEATURES = 1_000_000
MAX_COLUMNS = 64


def run(given: MaxentInput) -> MaxentOutput:
    """See :mod:`epf.entropy.maxent.maths` and :mod:`epf.entropy.maxent.irreversibility`."""
    if not (given.features or given.chains or given.counts):
        raise refuse("features", "is empty", f"give {TOOL.needs}")
    fit = _fit(given) if given.features else None
    states, counts = counted(given)
    found = process(counts, given.smoothing) if counts.size else None
    if found is None and given.drift is not None:
        raise refuse("drift", "is of steps, and none are given", "give chains or counts")
    warnings = [] if fit is None else _dependent(fit)
    if found is not None:
        warnings += too_few("transitions", int(counts.sum()), int((counts > 0).sum()))
        if never := [str(state) for state, row in zip(states, counts, strict=True) if not row.any()]:
            warnings.append(
                f"No step leaves {', '.join(never[:MOST_SHOWN])}: what follows there is pseudo-counts alone, and the entropy "
                "production is too low."
            )
    return MaxentOutput(
        unit=given.unit,
        fit=fit,
        process=None if found is None else process_out(found, states, counts, given),
        warnings=warnings,
    )


def _fit(given: MaxentInput) -> FitOut:
    features = matrix("features", given.features, max_values=MAX_FEATURES)
    n, k = features.shape
    at_most("features.0", k, MAX_COLUMNS, "features")
    if given.names:
        same_length("names", given.names, "features.0", given.features[0])
    log_prior = _log_weights("prior", given.prior, n)
    law = _law(features, log_prior, given)
    before = np.exp(log_prior - log_prior.max())
    excess = None
    if given.compare:
        compared = np.exp(_log_weights("compare", given.compare, n))
        excess = float(in_unit(kl(compared, law.weights), given.unit))
        if not math.isfinite(excess):
            i = int(np.argmax((compared > 0) & (law.weights == 0)))
            raise refuse(f"compare.{i}", "is positive where the prior excludes the row", "compare weights within the prior")
    return FitOut(
        weights=law.weights.tolist(),
        features=[
            FeatureOut(
                name=given.names[j] if given.names else f"feature {j}",
                before=float(before @ features[:, j] / before.sum()),
                mean=float(law.means[j]),
                multiplier=float(law.multipliers[j]),
                temperature=-1.0 / float(law.multipliers[j]) if law.multipliers[j] else None,
            )
            for j in range(k)
        ],
        response=law.covariance.tolist(),
        entropy=float(in_unit(law.entropy, given.unit)),
        effective=float(hill(law.weights, 1)),
        ess=float(hill(law.weights, 2)),
        log_z=law.log_z,
        free_energy=-law.log_z,
        excess=excess,
    )


def _law(features: FloatArray, log_prior: FloatArray, given: MaxentInput) -> Gibbs:
    if bool(given.targets) == bool(given.multipliers):
        complaint = "is given beside multipliers" if given.targets else "is missing"
        raise refuse("targets", complaint, "give targets or multipliers")
    if given.multipliers:
        same_length("multipliers", given.multipliers, "features.0", given.features[0])
        return gibbs(features, np.array(given.multipliers), log_prior)
    same_length("targets", given.targets, "features.0", given.features[0])
    targets = np.array([np.nan if target is None else target for target in given.targets])
    return maxent(features, targets, log_prior)


def _dependent(fit: FitOut) -> list[str]:
    covariance = np.array(fit.response)
    bound = [j for j, one in enumerate(fit.features) if one.multiplier and covariance[j, j] > 0]
    spread = np.sqrt(np.diag(covariance)[bound])
    if not bound or np.linalg.matrix_rank(covariance[np.ix_(bound, bound)] / np.outer(spread, spread), tol=1e-10) == len(bound):
        return []
    return ["Constrained features depend linearly on each other: the weights are unique, their multipliers are not."]


def _log_weights(field: str, weights: Sequence[float], n: int) -> FloatArray:
    """Logarithm of the weights of n rows as a distribution, -inf for none; of no weights, the measure 1."""
    if not weights:
        return np.zeros(n)
    if len(weights) != n:
        raise refuse(field, f"has {len(weights)} items, but `features` has {n} rows", "give one for each")
    if not any(weights):
        raise refuse(field, "is zero everywhere", "give some row a weight")
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.array(weights) / np.sum(weights)))


def tables(found: MaxentOutput) -> list[Table]:
    """The means and the law's figures; the process and the pairs that tell its direction."""
    shown = []
    if (fit := found.fit) is not None:
        shown += [
            Table(
                f"Least committal weights of {len(fit.weights)} rows",
                (f"entropy, {found.unit}", "effective rows", "ESS", "ln Z", f"excess, {found.unit}"),
                ((fit.entropy, fit.effective, fit.ess, fit.log_z, fit.excess),),
            ),
            Table(
                "Features",
                ("feature", "mean before", "mean", "multiplier", "temperature", "variance"),
                tuple(
                    (one.name, one.before, one.mean, one.multiplier, one.temperature, fit.response[j][j])
                    for j, one in enumerate(fit.features)
                ),
            ),
        ]
    if found.process is not None:
        shown += process_tables(found.process, found.unit)
    return shown


def plot(found: MaxentOutput, figure: "Figure") -> None:
    """The weights by rank, and the transitions with what the most irreversible pairs add."""
    panels = [found.fit is not None, *[found.process is not None] * 2]
    figure.set_size_inches(4.2 * sum(panels), 3.6)
    axes = iter(np.atleast_1d(figure.subplots(1, sum(panels))))
    if (fit := found.fit) is not None:
        ranked = next(axes)
        ranked.plot(np.arange(1, len(fit.weights) + 1), np.sort(fit.weights)[::-1], "o-", ms=3)
        ranked.set_ylim(bottom=0)
        ranked.set_xlabel("rank of the row")
        ranked.set_ylabel("weight")
        ranked.set_title(f"{fit.effective:.3g} effective rows")
    if (steps := found.process) is not None:
        matrix_axes, pairs_axes = next(axes), next(axes)
        image = matrix_axes.imshow(steps.transition, vmin=0, cmap="viridis")
        names = [str(state) for state in steps.states]
        if len(names) <= MOST_SHOWN:
            matrix_axes.set_xticks(range(len(names)), names)
            matrix_axes.set_yticks(range(len(names)), names)
        matrix_axes.set_xlabel("next state")
        matrix_axes.set_ylabel("state")
        figure.colorbar(image, ax=matrix_axes, shrink=0.8)
        shown = steps.pairs[:MOST_SHOWN]
        pairs_axes.barh([f"{pair.a} to {pair.b}" for pair in shown], [pair.production for pair in shown])
        pairs_axes.invert_yaxis()
        pairs_axes.set_xlabel(f"entropy production, {found.unit} a step")
        pairs_axes.set_title(f"{steps.production:.3g} in all")


TOOL = Tool(
    name="maxent",
    question="What is the least committal distribution that fits what is known, and how irreversible is the process of steps?",
    paper="Information Theory and Statistical Mechanics Revisited (arXiv 1105.5662)",
    input=MaxentInput,
    arrays=("features", "chains", "counts"),
    output=MaxentOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
    one_of=True,
)
