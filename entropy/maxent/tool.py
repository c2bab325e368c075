"""``maxent`` as a tool."""

import math
from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, matrix, number_of, refuse, same_length, too_few
from epf.entropy.core.information import FloatArray, hill, in_unit, kl_of_logs
from epf.entropy.maxent.display import conclusion, plot, tables
from epf.entropy.maxent.irreversibility import process
from epf.entropy.maxent.maths import Gibbs, gibbs, maxent
from epf.entropy.maxent.process import counted, process_out
from epf.entropy.maxent.schema import FeatureOut, FitOut, MaxentInput, MaxentOutput
from epf.entropy.maxent.traces import from_traces
from epf.entropy.tooling.tool import Tool

MAX_FEATURES = 1_000_000
MAX_COLUMNS = 64
MAX_NAMED = 12
"""Maximum number of states that a warning names."""


def run(given: MaxentInput) -> MaxentOutput:
    """Computes :mod:`epf.entropy.maxent.maths` and :mod:`epf.entropy.maxent.irreversibility`."""
    if not (given.features or given.chains or given.counts):
        raise refuse("features", "is empty", f"give {TOOL.needs}")
    fit = _fit(given) if given.features else None
    states, counts = counted(given)
    found = process(counts, given.smoothing) if counts.size else None
    if found is None and given.drift is not None:
        raise refuse("drift", "applies to steps, and the request has no steps", "give chains or counts")
    warnings = [] if fit is None else _dependent(fit)
    if found is not None:
        warnings += too_few("transitions", int(counts.sum()), int((counts > 0).sum()))
        if never := [str(state) for state, row in zip(states, counts, strict=True) if not row.any()]:
            warnings.append(
                f"No step leaves {', '.join(never[:MAX_NAMED])}: transitions from there are pseudo-counts only, and the "
                "entropy production is underestimated."
            )
        if not found.has_cycle:
            warnings.append(
                "The states form no cycle, so `production`, the entropy production in the stationary distribution, is 0 by "
                "construction. Read `production_observed` for the irreversibility of these steps."
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
        compared = _log_weights("compare", given.compare, n)
        excess = float(in_unit(kl_of_logs(compared, law.log_weights), given.unit))
        if not math.isfinite(excess):
            i = int(np.argmax((compared > -np.inf) & (law.log_weights == -np.inf)))
            raise refuse(f"compare.{i}", "is positive in a row that the prior excludes", "set it to 0")
    return FitOut(
        weights=law.weights.tolist(),
        features=[
            FeatureOut(
                name=given.names[j] if given.names else f"feature {j}",
                before=float(before @ features[:, j] / before.sum()),
                mean=float(law.means[j]),
                multiplier=float(law.multipliers[j]),
                temperature=_temperature(float(law.multipliers[j])),
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


def _temperature(multiplier: float) -> float | None:
    """The temperature of a multiplier; None if it is infinite."""
    temperature = -1.0 / multiplier if multiplier else math.inf
    return temperature if math.isfinite(temperature) else None


def _law(features: FloatArray, log_prior: FloatArray, given: MaxentInput) -> Gibbs:
    if bool(given.targets) == bool(given.multipliers):
        complaint = "cannot be combined with multipliers" if given.targets else "is missing"
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
    return [
        "The constrained features depend linearly on each other. The weights and their entropy are unique; the multipliers, "
        "the temperatures, ln Z and the free energy are not."
    ]


def _log_weights(field: str, weights: Sequence[float], n: int) -> FloatArray:
    """Logarithms of the normalised weights of n rows, -inf for a weight of 0; without weights, those of the measure 1."""
    if not weights:
        return np.zeros(n)
    if len(weights) != n:
        raise refuse(
            field, f"has {number_of(len(weights), 'item')}, but `features` has {number_of(n, 'row')}", "give one for each"
        )
    if not any(weights):
        raise refuse(field, "is zero everywhere", "give at least one row a positive weight")
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(weights) - np.log(np.sum(weights)))


TOOL = Tool(
    name="maxent",
    question="Which distribution fits the known means and assumes nothing else, and how irreversible is the process of steps?",
    paper="Information Theory and Statistical Mechanics Revisited (arXiv 1105.5662)",
    input=MaxentInput,
    arrays=("features", "chains", "counts"),
    output=MaxentOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
    one_of=True,
)
