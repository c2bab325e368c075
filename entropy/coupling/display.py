"""The conclusion, the tables and the picture of ``coupling``."""

from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.core.checks import number_of
from epf.entropy.coupling.schema import CouplingOutput
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHOWN = 12
"""Maximum number of matches in the table."""


def conclusion(found: CouplingOutput) -> str:
    """How far the coupling is from its marginals and from the plan, and how many traces choose each other."""
    here = min(found.grid, key=lambda row: abs(row.eps - found.eps))
    plan = f", and the coupling is {found.plan.gap:.0%} away from the entropic plan" if found.plan else ""
    return (
        f"At eps {found.eps:.3g} the cheap coupling moves {here.marginal_gap:.0%} of the weight of a marginal{plan}; "
        f"{number_of(found.n_mutual, 'pair')} of traces choose each other."
    )


def tables(found: CouplingOutput) -> list[Table]:
    """Lists the grid, the mean costs and the most certain matches."""
    grid = Table(
        f"{found.n_x} x with {found.n_y} y: eps {found.eps:.4g} ({found.chosen_by})",
        ("eps", "kappa", "tilt of x", "tilt of y", "marginals off by", "effective pairs"),
        tuple((row.eps, row.kappa, row.x_tilt, row.y_tilt, row.marginal_gap, row.ess) for row in found.grid),
    )
    plan = found.plan
    means = Table(
        "Mean cost of a pair",
        ("independent", "coupling", "plan", "distance of coupling and plan"),
        ((found.independent_cost, found.mean_cost, plan.mean_cost if plan else None, plan.gap if plan else None),),
    )
    best = sorted(found.matches, key=lambda match: (not match.mutual, -match.probability))[:MAX_SHOWN]
    pairs = Table(
        f"Most certain matches; {found.n_mutual} mutual",
        ("x", "y", "cost", "probability", "mutual"),
        tuple((match.x, match.y, match.cost, match.probability, match.mutual) for match in best),
    )
    return [grid, means, pairs]


def plot(found: CouplingOutput, figure: "Figure") -> None:
    """Draws tilt and effective pairs along eps, and the tilted marginals."""
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
    left.set_title(f"eps {found.eps:.3g} ({found.chosen_by})")
    left.legend(frameon=False)
    for name, marginal in (("x", found.x_marginal), ("y", found.y_marginal)):
        right.plot(np.linspace(0, 1, len(marginal)), np.sort(marginal) * len(marginal), label=name)
    right.axhline(1, color="grey", linewidth=1)
    right.set_xlabel("part of the traces, by rising weight")
    right.set_ylabel("weight relative to equal weights")
    right.legend(frameon=False)
