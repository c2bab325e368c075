"""``maxent`` of steps: transitions from chains or counts, and what is told of their process."""

import math
from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, matrix, refuse
from epf.entropy.core.information import FloatArray, in_unit
from epf.entropy.core.schema import Label
from epf.entropy.maxent.caliber import maximum_caliber, tilted
from epf.entropy.maxent.irreversibility import Process
from epf.entropy.maxent.schema import MAX_STATES, DrivenOut, MaxentInput, PairOut, ProcessOut
from epf.entropy.tooling.tool import Table

MAX_LABELS = 5_000_000
MOST_SHOWN = 12


def counted(given: MaxentInput) -> tuple[list[Label], FloatArray]:
    """States and their transitions, ``(s, s)``; of neither chains nor counts, none."""
    if given.chains and given.counts:
        raise refuse("counts", "is given beside chains", "give one or the other")
    if given.counts:
        counts = matrix("counts", given.counts, max_values=MAX_STATES**2)
        if counts.shape[0] != counts.shape[1]:
            raise refuse("counts", f"has {counts.shape[0]} rows of {counts.shape[1]}", "give a row for each state")
        if not counts.any():
            raise refuse("counts", "is zero everywhere", "give the transitions that were seen")
        return list(range(len(counts))), counts
    if not given.chains:
        return [], np.zeros((0, 0))
    lengths = np.array([len(chain) for chain in given.chains])
    at_most("chains", int(lengths.sum()), MAX_LABELS, "labels")
    labels = [label for chain in given.chains for label in chain]
    states = sorted(set(labels), key=lambda label: (isinstance(label, str), label))
    at_most("chains", len(states), MAX_STATES, "different states")
    place = {state: i for i, state in enumerate(states)}
    codes, begins = np.array([place[label] for label in labels], dtype=np.intp), np.zeros(len(labels) + 1, dtype=bool)
    begins[np.cumsum(lengths)] = True
    inside = ~begins[1:-1]
    if not inside.any():
        raise refuse("chains", "has no chain of two steps", "give at least one")
    counts = np.zeros((len(states), len(states)))
    np.add.at(counts, (codes[:-1][inside], codes[1:][inside]), 1.0)
    return states, counts


def process_out(found: Process, states: Sequence[Label], counts: FloatArray, given: MaxentInput) -> ProcessOut:
    """What is told of the process, in the unit that was asked for."""

    def told(nats: float) -> float:
        return float(in_unit(nats, given.unit))

    flow = found.flow
    pairs = [
        PairOut(
            a=states[i],
            b=states[j],
            forward=float(flow[i, j]),
            backward=float(flow[j, i]),
            production=told((flow[i, j] - flow[j, i]) * math.log(flow[i, j] / flow[j, i])),
        )
        for i, j in np.argwhere((flow > flow.T) | np.triu((flow == flow.T) & (flow > 0), 1))
    ]
    return ProcessOut(
        states=list(states),
        n_transitions=float(counts.sum()),
        transition=found.transition.tolist(),
        observed=found.observed.tolist(),
        stationary=found.stationary.tolist(),
        production=told(found.production),
        production_observed=told(found.production_observed),
        production_unsmoothed=told(found.production_unsmoothed) if math.isfinite(found.production_unsmoothed) else None,
        smoothing=given.smoothing,
        n_one_way=found.n_one_way,
        forgotten=told(found.forgotten),
        pairs=sorted(pairs, key=lambda pair: -pair.production),
        driven=None if given.drift is None else _driven(found, states, given.drift, given),
    )


def _driven(found: Process, states: Sequence[Label], drift: float, given: MaxentInput) -> DrivenOut:
    numbers = [state for state in states if not isinstance(state, str)]
    if len(numbers) < len(states):
        raise refuse("drift", "needs states that are numbers", "name states by numbers, or leave it out")
    change = np.subtract.outer(np.array(numbers, dtype=np.float64), np.array(numbers, dtype=np.float64)).T
    driven = maximum_caliber(found.observed, found.transition, change, drift, field="drift")
    return DrivenOut(
        before=tilted(found.observed, found.transition, change, 0.0).mean,
        drift=drift,
        multiplier=driven.multiplier,
        transition=driven.transition.tolist(),
        caliber=float(in_unit(driven.caliber, given.unit)),
        free_energy=driven.free_energy,
        response=driven.variance,
    )


def process_tables(steps: ProcessOut, unit: str) -> list[Table]:
    """Entropy production and the pairs that tell its direction; the process with the drift that was asked for."""
    shown = [
        Table(
            f"Entropy production of {steps.n_transitions:.0f} steps, {unit} a step, smoothed by {steps.smoothing:g}",
            ("stationary", "observed", "unsmoothed", "pairs seen one way", "forgotten"),
            (
                (
                    steps.production,
                    steps.production_observed,
                    "infinite" if steps.production_unsmoothed is None else steps.production_unsmoothed,
                    steps.n_one_way,
                    steps.forgotten,
                ),
            ),
        ),
        Table(
            "Pairs of states",
            ("a", "b", "a to b", "back", f"production, {unit}"),
            tuple((str(p.a), str(p.b), p.forward, p.backward, p.production) for p in steps.pairs[:MOST_SHOWN]),
        ),
    ]
    if steps.driven is not None:
        shown += _driven_tables(unit, steps.states, steps.driven)
    return shown


def _driven_tables(unit: str, states: Sequence[Label], driven: DrivenOut) -> list[Table]:
    names = [str(state) for state in states[:MOST_SHOWN]]
    return [
        Table(
            "Least committal process with this drift",
            ("drift before", "drift", "multiplier", f"caliber, {unit} a step"),
            ((driven.before, driven.drift, driven.multiplier, driven.caliber),),
        ),
        Table(
            "Its transitions",
            ("from", *(f"to {name}" for name in names)),
            tuple((name, *row[:MOST_SHOWN]) for name, row in zip(names, driven.transition, strict=False)),
        ),
    ]
