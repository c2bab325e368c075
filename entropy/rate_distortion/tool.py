"""``rate-distortion`` as a tool."""

from collections.abc import Sequence

import numpy as np

from epf.entropy.core.checks import SAMPLES_PER_VALUE, at_most, matrix, refuse, same_length
from epf.entropy.core.information import FloatArray, IntArray, in_unit
from epf.entropy.core.knee import knee
from epf.entropy.core.lattice import codes_of
from epf.entropy.rate_distortion.coding import MAX_SYMBOLS
from epf.entropy.rate_distortion.display import conclusion, plot, tables
from epf.entropy.rate_distortion.maths import Task, folds_of, longest, rate
from epf.entropy.rate_distortion.priors import Prior
from epf.entropy.rate_distortion.schema import RateDistortionInput, RateDistortionOutput, StepOut
from epf.entropy.tooling.targets import target_of
from epf.entropy.tooling.tool import Tool
from epf.entropy.tooling.vectors import vectors_of
from epf.entropy.traces import Trace

MAX_NUMBERS = 1_000_000
MAX_CODED_COLUMNS = 20_000
MAX_CLASSES = 64
FEW_ROWS = 50
"""Fewer rows lead to a warning, because each prior and probe is learned from four fifths of them."""

DEFAULT_STEPS = 2.0 ** np.arange(-5.0, 2.5, 0.5)
"""Step sizes in units of the root mean square of the columns' standard deviations."""


def run(given: RateDistortionInput) -> RateDistortionOutput:
    """Computes :mod:`epf.entropy.rate_distortion.maths`."""
    vectors = matrix("vectors", given.vectors, max_values=MAX_NUMBERS)
    n, d = vectors.shape
    target, groups, folds = _checked(given, n)
    deltas = _deltas(given, vectors)
    task = Task(vectors, target, folds, groups)
    of_scores = target.shape[1] == 1
    steps, coarse = [], 0
    for delta in deltas:
        found = rate(vectors, float(delta), given.prior, folds)
        decided = task.decisions(found.values)
        coarse += n < SAMPLES_PER_VALUE * found.mean_values
        bits = found.bits / n
        steps.append(
            StepOut(
                delta=float(delta),
                bits=bits,
                bits_per_number=bits / d,
                coded_bits=found.coded_bits / n,
                mse=float(((found.values - vectors) ** 2).mean()),
                distortion=decided.distortion,
                agreement=decided.agreement,
                error=decided.error,
                weight_divergence=float(in_unit(decided.weight_divergence, given.unit)) if of_scores else None,
                lagrangian=None if given.beta is None else bits + given.beta * decided.distortion,
            )
        )
    costs = [step.lagrangian for step in steps if step.lagrangian is not None]
    return RateDistortionOutput(
        unit=given.unit,
        prior=given.prior,
        decides="scores" if of_scores else "labels",
        n_rows=n,
        n_columns=d,
        n_groups=int(groups.max()) + 1,
        error=task.error,
        blind_error=task.blind_error,
        steps=steps,
        knee=len(steps) - 1 - knee([step.bits for step in steps[::-1]], [step.distortion for step in steps[::-1]]),
        best=int(np.argmin(costs)) if costs else None,
        warnings=_warnings(given.prior, n, coarse, task),
    )


def _checked(given: RateDistortionInput, n: int) -> tuple[FloatArray, IntArray, IntArray]:
    """Target ``(n, k)``, group and fold of each row ``(n,)``; raises ``InvalidRequest`` for inconsistent input."""
    if bool(given.scores) == bool(given.labels):
        field, complaint = ("labels", "cannot be combined with scores") if given.scores else ("scores", "is missing")
        raise refuse(field, complaint, "give scores or labels of the rows")
    if n < 2:
        raise refuse("vectors", "has 1 row", "give at least 2, because the prior of a row is learned from other rows")
    for name in ("scores", "labels", "groups"):
        if values := getattr(given, name):
            same_length(name, values, "vectors", given.vectors)
    groups = codes_of(given.groups) if given.groups else np.zeros(n, dtype=np.intp)
    if given.groups and groups.max() == 0:
        raise refuse("groups", "has only one group", "leave it out")
    folds = folds_of(groups if given.groups else np.arange(n))
    if given.scores:
        return np.array(given.scores, dtype=np.float64)[:, None], groups, folds
    codes = codes_of(given.labels)
    n_classes = int(codes.max()) + 1
    if n_classes < 2:
        raise refuse("labels", "has only one label", "give rows with different labels")
    at_most("labels", n_classes, MAX_CLASSES, "different labels")
    return np.eye(n_classes)[codes], groups, folds


def _deltas(given: RateDistortionInput, vectors: FloatArray) -> FloatArray:
    """The step sizes to try, ascending."""
    if given.deltas:
        deltas = np.unique(given.deltas)
    else:
        width = float(np.sqrt(vectors.var(axis=0).mean()))
        deltas = DEFAULT_STEPS * (width if width > 0 else 1.0)
        fine_enough = np.array([longest(vectors, delta) <= MAX_SYMBOLS for delta in deltas])
        deltas = (
            deltas[fine_enough] if fine_enough.any() else np.array([float(np.ptp(vectors, axis=0).max()) / MAX_SYMBOLS * 2])
        )
    if longest(vectors, deltas[0]) > MAX_SYMBOLS:
        least = float(np.ptp(vectors, axis=0).max()) / (MAX_SYMBOLS - 2)
        complaint = f"has {deltas[0]:g}, but a column spans more than {MAX_SYMBOLS} steps of this size"
        raise refuse("deltas", complaint, f"give {least:.3g} or more")
    at_most("deltas", vectors.shape[1] * len(deltas), MAX_CODED_COLUMNS, "columns to encode, over all step sizes")
    return deltas


def _warnings(prior: Prior, n: int, coarse: int, task: Task) -> list[str]:
    warnings = []
    if n < FEW_ROWS:
        warnings.append(f"{n} rows are too few to learn priors and decisions reliably: give at least {FEW_ROWS}.")
    if coarse and prior == "factorised":
        warnings.append(
            f"At the {coarse} finest steps, a column has more than one value per {SAMPLES_PER_VALUE} rows. Counts are then too "
            "small, and the prior is mostly the logistic one."
        )
    if task.error >= task.blind_error:
        warnings.append(
            f"The vectors do not predict the target: its error is {task.error:.3g} with them and {task.blind_error:.3g} "
            "without them. The decision that survives the rounding is a guess."
        )
    return warnings


def from_traces(traces: Sequence[Trace], given: RateDistortionInput) -> RateDistortionInput:
    """Computes the vector of each trace; traces of the same problem form a group if there are several problems."""
    scores, labels = target_of(traces, given.target)
    problems = [trace.problem or "" for trace in traces]
    return given.model_copy(
        update={
            "vectors": vectors_of(traces, range(len(traces)), given.read).tolist(),
            "scores": scores,
            "labels": labels,
            "groups": problems if len(set(problems)) > 1 else [],
        }
    )


TOOL = Tool(
    name="rate-distortion",
    question="How many bits of this hidden state or curve of scores does the decision need?",
    paper="Supervised Compression for Resource-Constrained Edge Computing Systems (arXiv 2108.11898)",
    input=RateDistortionInput,
    arrays=("vectors",),
    output=RateDistortionOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
)
