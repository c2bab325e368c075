"""The conclusion, the tables and the picture of ``maxent``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epf.entropy.core.schema import Label
from epf.entropy.maxent.schema import DrivenOut, MaxentOutput, ProcessOut
from epf.entropy.tooling.labels import label
from epf.entropy.tooling.tool import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHOWN = 12
"""Maximum number of states or pairs in a table and in the picture."""


def conclusion(found: MaxentOutput) -> str:
    """How many rows count after the fit, and how irreversible the steps are."""
    parts = []
    if (fit := found.fit) is not None:
        parts.append(f"The least committal weights use {fit.effective:.3g} of {len(fit.weights)} rows.")
    if (steps := found.process) is not None:
        parts.append(
            f"A step produces {steps.production_observed:.3g} {found.unit} of entropy, and {steps.production:.3g} in the "
            "stationary distribution; steps that look the same backwards produce 0."
        )
    return " ".join(parts)


def tables(found: MaxentOutput) -> list[Table]:
    """Lists the fit with its features, and the process with its pairs of states."""
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
        shown += _process_tables(found.process, found.unit)
    return shown


def plot(found: MaxentOutput, figure: "Figure") -> None:
    """Draws the weights by rank, the transitions, and the contributions of the most irreversible pairs."""
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
        names = [label(state) for state in steps.states]
        if len(names) <= MAX_SHOWN:
            matrix_axes.set_xticks(range(len(names)), names)
            matrix_axes.set_yticks(range(len(names)), names)
        matrix_axes.set_xlabel("next state")
        matrix_axes.set_ylabel("state")
        figure.colorbar(image, ax=matrix_axes, shrink=0.8)
        shown = steps.pairs[:MAX_SHOWN]
        pairs_axes.barh(range(len(shown)), [pair.production for pair in shown])
        pairs_axes.set_yticks(range(len(shown)), [f"{label(pair.a)} to {label(pair.b)}" for pair in shown])
        pairs_axes.invert_yaxis()
        pairs_axes.set_xlabel(f"stationary entropy production, {found.unit} per step")
        pairs_axes.set_title(f"{steps.production_observed:.3g} observed, {steps.production:.3g} stationary")


def _process_tables(steps: ProcessOut, unit: str) -> list[Table]:
    """Lists the entropy production, the pairs of states, and the process with the required drift."""
    shown = [
        Table(
            f"Entropy production of {steps.n_transitions:.0f} steps, {unit} per step, smoothing {steps.smoothing:g}",
            ("observed", "unsmoothed", "stationary", "one-way pairs", "forgotten"),
            (
                (
                    steps.production_observed,
                    "infinite" if steps.production_unsmoothed is None else steps.production_unsmoothed,
                    steps.production,
                    steps.n_one_way,
                    steps.forgotten,
                ),
            ),
        ),
        Table(
            "Pairs of states",
            ("a", "b", "a to b", "back", f"production, {unit}"),
            tuple((str(p.a), str(p.b), p.forward, p.backward, p.production) for p in steps.pairs[:MAX_SHOWN]),
        ),
    ]
    if steps.driven is not None:
        shown += _driven_tables(unit, steps.states, steps.driven)
    return shown


def _driven_tables(unit: str, states: Sequence[Label], driven: DrivenOut) -> list[Table]:
    names = [str(state) for state in states[:MAX_SHOWN]]
    return [
        Table(
            "Least committal process with this drift",
            ("drift before", "drift", "multiplier", f"caliber, {unit} per step"),
            ((driven.before, driven.drift, driven.multiplier, driven.caliber),),
        ),
        Table(
            "Its transitions",
            ("from", *(f"to {name}" for name in names)),
            tuple((name, *row[:MAX_SHOWN]) for name, row in zip(names, driven.transition, strict=False)),
        ),
    ]
