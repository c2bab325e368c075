"""``maxent`` of steps: transitions from chains or counts, and the output for their process."""

import math
from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import at_most, exclusive, matrix, refuse
from epf.entropy.core.information import FloatArray, in_unit
from epf.entropy.core.schema import Label
from epf.entropy.maxent.caliber import maximum_caliber, tilted
from epf.entropy.maxent.irreversibility import Process
from epf.entropy.maxent.schema import MAX_STATES, DrivenOut, MaxentInput, PairOut, ProcessOut

MAX_LABELS = 5_000_000
LARGEST_STATE = 10**9
"""Maximum size of a state in a process with a required drift."""


def counted(given: MaxentInput) -> tuple[list[Label], FloatArray]:
    """States and their transitions, ``(s, s)``; both are empty without chains and counts."""
    if given.chains and given.counts:
        raise exclusive("counts", "chains")
    if given.counts:
        counts = matrix("counts", given.counts, max_values=MAX_STATES**2)
        if counts.shape[0] != counts.shape[1]:
            raise refuse("counts", f"has {counts.shape[0]} rows of {counts.shape[1]}", "give one row and column per state")
        if not counts.any():
            raise refuse("counts", "is zero everywhere", "give at least one transition")
        return list(range(len(counts))), counts
    if not given.chains:
        return [], np.zeros((0, 0))
    lengths = np.array([len(chain) for chain in given.chains])
    at_most("chains", int(lengths.sum()), MAX_LABELS, "labels")
    labels = [label for chain in given.chains for label in chain]
    states = sorted(set(labels), key=lambda label: (isinstance(label, str), label))
    at_most("chains", len(states), MAX_STATES, "different states")
    code_of = {state: i for i, state in enumerate(states)}
    codes, begins = np.array([code_of[label] for label in labels], dtype=np.intp), np.zeros(len(labels) + 1, dtype=bool)
    begins[np.cumsum(lengths)] = True
    inside = ~begins[1:-1]
    if not inside.any():
        raise refuse("chains", "has no chain of at least two steps", "give one")
    counts = np.zeros((len(states), len(states)))
    np.add.at(counts, (codes[:-1][inside], codes[1:][inside]), 1.0)
    return states, counts


def process_out(found: Process, states: Sequence[Label], counts: FloatArray, given: MaxentInput) -> ProcessOut:
    """The output for a process, in the requested unit."""

    def converted(nats: float) -> float:
        return float(in_unit(nats, given.unit))

    flow, log_flow = found.flow, found.log_flow
    pairs = [
        PairOut(
            a=states[i],
            b=states[j],
            forward=float(flow[i, j]),
            backward=float(flow[j, i]),
            production=converted((flow[i, j] - flow[j, i]) * (log_flow[i, j] - log_flow[j, i])),
        )
        for i, j in np.argwhere((log_flow > log_flow.T) | np.triu((log_flow == log_flow.T) & (log_flow > -np.inf), 1))
    ]
    return ProcessOut(
        states=list(states),
        n_transitions=float(counts.sum()),
        transition=found.transition.tolist(),
        observed=found.observed.tolist(),
        stationary=found.stationary.tolist(),
        production_observed=converted(found.production_observed),
        production=converted(found.production),
        production_unsmoothed=converted(found.production_unsmoothed) if math.isfinite(found.production_unsmoothed) else None,
        smoothing=given.smoothing,
        n_one_way=found.n_one_way,
        forgotten=converted(found.forgotten),
        pairs=sorted(pairs, key=lambda pair: -pair.production),
        driven=None if given.drift is None else _driven(found, states, given.drift, given),
    )


def _driven(found: Process, states: Sequence[Label], drift: float, given: MaxentInput) -> DrivenOut:
    numbers = [state for state in states if not isinstance(state, str)]
    if len(numbers) < len(states):
        raise refuse("drift", "needs states that are numbers", "use numbers as states, or leave it out")
    if any(abs(number) > LARGEST_STATE for number in numbers):
        raise refuse("drift", f"needs states between -{LARGEST_STATE:,} and {LARGEST_STATE:,}", "use smaller numbers as states")
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
