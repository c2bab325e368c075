"""``coupling`` as a tool."""

from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, exclusive, matrix, number_of, refuse
from epf.entropy.core.information import FloatArray
from epf.entropy.coupling.display import conclusion, plot, tables
from epf.entropy.coupling.maths import Coupling, costs, coupling, entropic_plan, eps_knee, matches, total_variation, uniform
from epf.entropy.coupling.schema import CouplingInput, CouplingOutput, EpsOut, MatchOut, MatricesOut, PlanOut
from epf.entropy.tooling.split import two_sets
from epf.entropy.tooling.tool import Tool
from epf.entropy.tooling.vectors import vectors_of
from epf.entropy.traces import Trace

MAX_NUMBERS = 5_000_000
MAX_PAIRS = 4_000_000
MAX_PLAN_PAIRS = 1_000_000
MAX_MATRIX_PAIRS = 250_000

NEGLIGIBLE_TILT = 0.1
"""A larger relative variance leads to a warning."""

DEFAULT_GRID = np.logspace(-1, 1, 25)
"""Values of eps in units of the standard deviation of the costs; a constant added to all costs does not change the coupling."""


def run(given: CouplingInput) -> CouplingOutput:
    """Computes :mod:`epf.entropy.coupling.maths`."""
    cost, length = _costs(given)
    n, m = cost.shape
    mu, nu = uniform(n), uniform(m)
    grid = _grid(given, cost, length)
    grid_out, tilts = [], []
    for eps in grid:
        at = coupling(cost, float(eps), mu, nu)
        tilts.append(at.tilt)
        grid_out.append(_eps_out(float(eps), length, at))
    chosen = float(grid[eps_knee(grid, np.array(tilts))])
    found = coupling(cost, chosen, mu, nu)
    plan, plan_out = _plan(given, cost, chosen, found)
    pairs = matches(cost, chosen, mu, nu)
    return CouplingOutput(
        n_x=n,
        n_y=m,
        eps=chosen,
        chosen_by="given" if len(grid) == 1 else "knee",
        grid=grid_out,
        mean_cost=float((found.q * cost).sum()),
        independent_cost=float(cost.mean()),
        x_marginal=found.x_marginal.tolist(),
        y_marginal=found.y_marginal.tolist(),
        matches=[
            MatchOut(x=i, y=int(j), cost=float(cost[i, j]), probability=float(p), mutual=bool(both))
            for i, (j, p, both) in enumerate(zip(pairs.partner, pairs.probability, pairs.mutual, strict=True))
        ],
        n_mutual=int(pairs.mutual.sum()),
        plan=plan_out,
        matrices=_matrices(given, cost, chosen, found, plan),
        warnings=_warnings(found, plan_out),
    )


def _costs(given: CouplingInput) -> tuple[FloatArray, int | None]:
    """Cost of each pair, ``(n, m)``, and the length of the vectors; raises ``InvalidRequest`` if they are inconsistent."""
    if given.costs and (given.x or given.y):
        raise exclusive("costs", "vectors")
    if given.costs:
        if given.kappa:
            raise refuse("kappa", "depends on the length of vectors, which costs do not have", "give eps")
        return matrix("costs", given.costs, max_values=MAX_PAIRS), None
    x, y = (matrix(name, rows, max_values=MAX_NUMBERS) for name, rows in (("x", given.x), ("y", given.y)))
    if x.shape[1] != y.shape[1]:
        raise refuse(
            "y.0", f"has {number_of(y.shape[1], 'number')}, but `x.0` has {x.shape[1]}", "give vectors of equal length"
        )
    at_most("x", len(x) * len(y), MAX_PAIRS, "pairs with y")
    if given.metric == "cosine":
        for name, rows in (("x", x), ("y", y)):
            for i in np.flatnonzero(~rows.any(axis=1))[:1]:
                raise refuse(f"{name}.{i}", "is zero and therefore has no direction", "choose another metric")
    return costs(x, y, given.metric), x.shape[1]


def _grid(given: CouplingInput, cost: FloatArray, length: int | None) -> FloatArray:
    """The values of eps to try, ascending."""
    if given.eps and given.kappa:
        raise exclusive("kappa", "eps")
    name, values = ("kappa", given.kappa) if given.kappa else ("eps", given.eps)
    distinct = np.unique(values)
    if len(distinct) == 2:
        raise refuse(name, "has 2 values", "give 1 value to use, or at least 3 to choose from")
    if given.kappa and length is not None:
        return np.asarray(distinct * np.sqrt(length))
    if given.eps:
        return np.asarray(distinct)
    deviation = float(cost.std())
    return np.asarray(DEFAULT_GRID * (deviation if deviation > 0 else 1.0))


def _eps_out(eps: float, length: int | None, at: Coupling) -> EpsOut:
    return EpsOut(
        eps=eps,
        kappa=None if length is None else eps / float(np.sqrt(length)),
        x_tilt=at.x_tilt,
        y_tilt=at.y_tilt,
        marginal_gap=at.marginal_gap,
        ess=at.ess,
    )


def _plan(given: CouplingInput, cost: FloatArray, eps: float, found: Coupling) -> tuple[FloatArray | None, PlanOut | None]:
    if not given.plan:
        return None, None
    at_most("plan", cost.size, MAX_PLAN_PAIRS, "pairs to iterate over")
    plan, converged = entropic_plan(cost, eps, uniform(cost.shape[0]), uniform(cost.shape[1]))
    gap = total_variation(found.q, plan)
    return plan, PlanOut(gap=gap, mean_cost=float((plan * cost).sum()), converged=converged)


def _matrices(
    given: CouplingInput, cost: FloatArray, eps: float, found: Coupling, plan: FloatArray | None
) -> MatricesOut | None:
    if not given.matrices:
        return None
    at_most("matrices", cost.size, MAX_MATRIX_PAIRS, "pairs to return")
    return MatricesOut(
        weights=np.exp(-cost / eps).tolist(), coupling=found.q.tolist(), plan=None if plan is None else plan.tolist()
    )


def _warnings(found: Coupling, plan: PlanOut | None) -> list[str]:
    warnings = []
    if found.tilt > NEGLIGIBLE_TILT:
        warnings.append(
            f"The tilt is not negligible: its relative variance is {found.tilt:.3g}, more than {NEGLIGIBLE_TILT:g}, and the "
            f"marginals are off by {found.marginal_gap:.3g}, so the coupling prefers some traces. A larger eps tilts less."
        )
    if plan is not None and not plan.converged:
        warnings.append("The plan has not converged, so its values are approximate. A larger eps converges faster.")
    return warnings


def from_traces(traces: Sequence[Trace], given: CouplingInput) -> CouplingInput:
    """Splits the traces into two sets by a label, and computes their vectors."""
    first, second = two_sets(traces, given.split, given.between)
    at_most("traces", len(first) * len(second), MAX_PAIRS, "pairs")
    x, y = (vectors_of(traces, rows, given.vectors).tolist() for rows in (first, second))
    return given.model_copy(update={"x": x, "y": y})


TOOL = Tool(
    name="coupling",
    question="How do two sets of traces line up, and how biased is the cheap coupling compared with the entropic plan?",
    paper="Weighted Conditional Flow Matching (arXiv 2507.22270)",
    input=CouplingInput,
    arrays=("x", "y", "costs"),
    output=CouplingOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
)
