"""``coupling`` for HTTP and command line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import at_most, matrix, refuse
from epf.entropy.core.information import FloatArray
from epf.entropy.core.schema import Number, Result, Strict, example
from epf.entropy.coupling.maths import (
    Coupling,
    Metric,
    costs,
    coupling,
    elbow,
    entropic_plan,
    matches,
    total_variation,
    uniform,
)
from epf.entropy.tooling.split import two_sets
from epf.entropy.tooling.tool import Table, Tool
from epf.entropy.tooling.vectors import Kind, vectors_of
from epf.entropy.traces import Trace, TraceInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NUMBERS = 5_000_000
MAX_PAIRS = 4_000_000
MAX_PLAN_PAIRS = 1_000_000
MAX_MATRIX_PAIRS = 250_000
MAX_GRID = 64
MOST_SHOWN = 12
"""Matches in the table."""

NEGLIGIBLE_TILT = 0.1
"""A relative variance above this is warned of."""

DEFAULT_GRID = np.logspace(-1, 1, 25)
"""In units of the standard deviation of the costs: what all have in common does not matter to the coupling."""

Rows = list[Annotated[list[Number], Field(min_length=1)]]
Cost = Annotated[float, Field(ge=0, le=1e9)]
Positive = Annotated[float, Field(ge=1e-9, le=1e9)]


class CouplingInput(TraceInput):
    """Vectors that stand for the traces of two sets, or the costs of pairing them; or traces."""

    model_config = example(
        x=[[0.0, 0.1], [1.0, 0.9], [2.0, 2.1]], y=[[0.1, 0.0], [1.1, 1.0], [1.9, 2.0], [5.0, 5.0]], plan=True
    )

    x: Rows = Field([], description="Vectors of the first set, such as embeddings: one row per trace.")
    y: Rows = Field([], description="Vectors of the second set, rows of the same length.")
    costs: list[Annotated[list[Cost], Field(min_length=1)]] = Field(
        [], description="In place of x and y: cost of each pair, one row per x."
    )
    metric: Metric = Field("euclidean", description="Cost of a pair of vectors; the paper's is the Euclidean distance.")
    eps: list[Positive] = Field(
        [],
        max_length=MAX_GRID,
        description="One to use, or a grid to choose from. Default: 0.1 to 10 times the costs' standard deviation.",
    )
    kappa: list[Positive] = Field(
        [], max_length=MAX_GRID, description="In place of eps, as the paper: eps = kappa times the root of the vectors' length."
    )
    plan: bool = Field(False, description="Also compute the entropic optimal transport plan and the distance to it.")
    matrices: bool = Field(False, description="Also return weights, coupling and plan whole.")
    split: str = Field("correct", description="Of traces: what tells x from y. correct, or a name among labels.")
    between: list[str] = Field(
        [], max_length=2, description="Of traces: its value for x and for y. Default: the two that there are, as they come."
    )
    vectors: Kind = Field(
        "scores",
        description="Of traces: what stands for one. scores: the curve of the reward model's scores; logprobs: that of the "
        "steps' mean log probabilities; words: counts of words.",
    )


class EpsOut(Strict):
    """The coupling at one eps."""

    eps: float
    kappa: float | None = Field(description="eps over the root of the vectors' length; null for costs.")
    x_tilt: float = Field(description="Relative variance of the tilt of x: 0 if its marginal is kept.")
    y_tilt: float = Field(description="Likewise of y.")
    marginal_gap: float = Field(description="Total variation distance of the worse marginal from equal weights, in [0, 1].")
    ess: float = Field(description="Effective number of pairs.")


class MatchOut(Strict):
    """The most probable partner of one x, at the chosen eps."""

    x: int = Field(description="Row of x, from 0; of traces, counted among those of x.")
    y: int = Field(description="Row of y, likewise.")
    cost: float
    probability: float = Field(description="Of this partner, given x.")
    mutual: bool = Field(description="x is the most probable partner of this y as well.")


class PlanOut(Strict):
    """The entropic optimal transport plan at the chosen eps, which keeps both marginals."""

    gap: float = Field(description="Total variation distance of the coupling from it, in [0, 1].")
    mean_cost: float
    converged: bool


class MatricesOut(Strict):
    """Everything per pair, at the chosen eps; one row per x."""

    weights: list[list[float]] = Field(description="exp(-cost / eps), as the training loss is weighted.")
    coupling: list[list[float]] = Field(description="The weights over their sum.")
    plan: list[list[float]] | None


class CouplingOutput(Result):
    """How two sets of traces line up, and how far the cheap coupling is from the one that keeps the marginals."""

    n_x: int
    n_y: int
    eps: float = Field(description="What all that is not in `grid` was computed at.")
    chosen_by: Literal["given", "elbow"] = Field(description="elbow: where the tilt has flattened along the grid.")
    grid: list[EpsOut]
    mean_cost: float = Field(description="Under the coupling.")
    independent_cost: float = Field(description="Mean cost of independent pairs.")
    x_marginal: list[float] = Field(description="Tilted marginal of x; all equal if there is no tilt.")
    y_marginal: list[float]
    matches: list[MatchOut]
    n_mutual: int
    plan: PlanOut | None
    matrices: MatricesOut | None


def run(given: CouplingInput) -> CouplingOutput:
    """See :mod:`epf.entropy.coupling.maths`."""
    cost, length = _costs(given)
    n, m = cost.shape
    mu, nu = uniform(n), uniform(m)
    grid = _grid(given, cost, length)
    grid_out, tilts = [], []
    for eps in grid:
        at = coupling(cost, float(eps), mu, nu)
        tilts.append(at.tilt)
        grid_out.append(_eps_out(float(eps), length, at))
    chosen = float(grid[elbow(grid, np.array(tilts))])
    found = coupling(cost, chosen, mu, nu)
    plan, plan_out = _plan(given, cost, chosen, found)
    pairs = matches(cost, chosen, mu, nu)
    return CouplingOutput(
        n_x=n,
        n_y=m,
        eps=chosen,
        chosen_by="given" if len(grid) == 1 else "elbow",
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
    """Cost of each pair, ``(n, m)``, and the length of the vectors; raises ``InvalidRequest`` if they do not fit together."""
    if given.costs and (given.x or given.y):
        raise refuse("costs", "is given beside vectors", "give one or the other")
    if given.costs:
        if given.kappa:
            raise refuse("kappa", "is in units of the vectors' length, which costs do not have", "give eps")
        return matrix("costs", given.costs, max_values=MAX_PAIRS), None
    x, y = (matrix(name, rows, max_values=MAX_NUMBERS) for name, rows in (("x", given.x), ("y", given.y)))
    if x.shape[1] != y.shape[1]:
        raise refuse("y.0", f"has {y.shape[1]} numbers, but those of `x` have {x.shape[1]}", "give vectors of one length")
    at_most("x", len(x) * len(y), MAX_PAIRS, "pairs with y")
    if given.metric == "cosine":
        for name, rows in (("x", x), ("y", y)):
            for i in np.flatnonzero(~rows.any(axis=1))[:1]:
                raise refuse(f"{name}.{i}", "is zero and has no direction", "choose another metric")
    return costs(x, y, given.metric), x.shape[1]


def _grid(given: CouplingInput, cost: FloatArray, length: int | None) -> FloatArray:
    """Values of eps to try, ascending."""
    if given.eps and given.kappa:
        raise refuse("kappa", "is given beside eps", "give one or the other")
    name, values = ("kappa", given.kappa) if given.kappa else ("eps", given.eps)
    distinct = np.unique(values)
    if len(distinct) == 2:
        raise refuse(name, "has 2 values", "give one to use, or at least 3 to choose from")
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
            f"marginals are off by {found.marginal_gap:.3g}: the coupling prefers some traces. A larger eps tilts less."
        )
    if plan is not None and not plan.converged:
        warnings.append("The plan has not converged, so its figures are rough: a larger eps converges faster.")
    return warnings


def from_traces(traces: Sequence[Trace], given: CouplingInput) -> CouplingInput:
    """Two sets by a label, and the vectors of their traces."""
    first, second = two_sets(traces, given.split, given.between)
    at_most("traces", len(first) * len(second), MAX_PAIRS, "pairs")
    x, y = (vectors_of(traces, rows, given.vectors).tolist() for rows in (first, second))
    return given.model_copy(update={"x": x, "y": y})


def tables(found: CouplingOutput) -> list[Table]:
    """The grid, the coupling and the surest matches."""
    grid = Table(
        f"{found.n_x} x with {found.n_y} y: eps {found.eps:.4g}, {found.chosen_by}",
        ("eps", "kappa", "tilt of x", "tilt of y", "marginals off by", "effective pairs"),
        tuple((row.eps, row.kappa, row.x_tilt, row.y_tilt, row.marginal_gap, row.ess) for row in found.grid),
    )
    plan = found.plan
    means = Table(
        "Mean cost of a pair",
        ("independent", "coupling", "plan", "coupling to plan"),
        ((found.independent_cost, found.mean_cost, plan.mean_cost if plan else None, plan.gap if plan else None),),
    )
    surest = sorted(found.matches, key=lambda match: (not match.mutual, -match.probability))[:MOST_SHOWN]
    pairs = Table(
        f"Surest matches of {found.n_mutual} mutual ones",
        ("x", "y", "cost", "probability", "mutual"),
        tuple((match.x, match.y, match.cost, match.probability, match.mutual) for match in surest),
    )
    return [grid, means, pairs]


def plot(found: CouplingOutput, figure: "Figure") -> None:
    """Tilt and effective pairs along eps, and the tilted marginals."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    eps = [row.eps for row in found.grid]
    left.plot(eps, [row.x_tilt for row in found.grid], "o-", label="tilt of x")
    left.plot(eps, [row.y_tilt for row in found.grid], "s-", label="tilt of y")
    left.plot(eps, [row.ess / (found.n_x * found.n_y) for row in found.grid], "k--", label="effective part of the pairs")
    left.axvline(found.eps, color="grey", linewidth=1)
    left.set_xscale("log")
    left.set_yscale("symlog", linthresh=0.01)
    left.set_ylim(bottom=0)
    left.set_xlabel("eps")
    left.set_title(f"eps {found.eps:.3g}, {found.chosen_by}")
    left.legend(frameon=False)
    for name, marginal in (("x", found.x_marginal), ("y", found.y_marginal)):
        right.plot(np.linspace(0, 1, len(marginal)), np.sort(marginal) * len(marginal), label=name)
    right.axhline(1, color="grey", linewidth=1)
    right.set_xlabel("part of the traces, the least weighted first")
    right.set_ylabel("weight over an equal one")
    right.legend(frameon=False)


TOOL = Tool(
    name="coupling",
    question="How do two sets of traces line up, and how biased is the cheap coupling against the entropic plan?",
    paper="Weighted Conditional Flow Matching (arXiv 2507.22270)",
    input=CouplingInput,
    arrays=("x", "y", "costs"),
    output=CouplingOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
)
