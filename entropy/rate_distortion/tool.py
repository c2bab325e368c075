"""``rate-distortion`` for HTTP and command line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import SAMPLES_PER_VALUE, at_most, matrix, refuse, same_length
from epf.entropy.core.information import FloatArray, IntArray, Unit, in_unit
from epf.entropy.core.knee import knee
from epf.entropy.core.lattice import codes_of
from epf.entropy.core.schema import Label, Number, Result, Strict, example
from epf.entropy.rate_distortion.coding import MAX_SYMBOLS
from epf.entropy.rate_distortion.maths import Task, folds_of, longest, rate
from epf.entropy.rate_distortion.priors import Prior
from epf.entropy.tooling.targets import target_of
from epf.entropy.tooling.tool import Table, Tool
from epf.entropy.tooling.vectors import Kind, vectors_of
from epf.entropy.traces import Trace, TraceInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NUMBERS = 1_000_000
MAX_COLUMNS = 2048
MAX_STEPS = 32
MAX_CODED_COLUMNS = 20_000
MAX_CLASSES = 64
FEW_ROWS = 50
"""With fewer rows the figures are warned of: a fifth of them is all that each prior and probe does without."""

DEFAULT_STEPS = 2.0 ** np.arange(-5.0, 2.5, 0.5)
"""In units of the root mean square of the columns' standard deviations."""

Positive = Annotated[float, Field(ge=1e-9, le=1e9)]


class RateDistortionInput(TraceInput):
    """Vectors, such as hidden states or curves of scores, and what is decided by them; or traces."""

    model_config = example(
        vectors=[[0.1, 2.0], [0.9, 1.0], [0.2, 1.7], [0.8, 1.2], [0.3, 2.2], [0.7, 0.9], [0.1, 1.9], [0.8, 1.4]],
        scores=[-2.1, 1.9, -1.5, 1.4, -1.2, 1.1, -2.0, 1.5],
        deltas=[0.1, 0.5, 2.0],
    )

    vectors: list[Annotated[list[Number], Field(min_length=1, max_length=MAX_COLUMNS)]] = Field(
        [], description="One row per trace or step, all of one length."
    )
    scores: list[Number] = Field([], description="Score of each row, as a log weight or logit: the decision is who is best.")
    labels: list[Label] = Field([], description="In place of scores: label of each row, such as its answer.")
    groups: list[Label] = Field(
        [],
        description="Rows with the same group are compared with each other and stay together when priors are learned. Left "
        "out, all rows are compared, and each is by itself when priors are learned.",
    )
    deltas: list[Positive] = Field(
        [],
        max_length=MAX_STEPS,
        description="Steps to round to. Default: 1/32 to 4 times the columns' standard deviation.",
    )
    prior: Prior = Field(
        "factorised", description="factorised: counts of each column, smoothed; logistic and gaussian: fitted to each column."
    )
    beta: float | None = Field(
        None, ge=0, le=1e9, description="Bits per row that one unit of distortion is worth; chooses the best step."
    )
    unit: Unit = Field("nats", description="Of the divergence of weights; rates are always in bits.")
    read: Kind = Field(
        "scores",
        description="Of traces: the vectors. scores: the curve of the reward model's scores; logprobs: that of the steps' mean "
        "log probabilities; words: counts of words.",
    )
    target: str = Field(
        "correct",
        description="Of traces: what is decided. correct; last_score, as log odds; or a name among judges or labels.",
    )


class StepOut(Strict):
    """The vectors rounded to one step."""

    delta: float
    bits: float = Field(description="Information content of a row under the prior.")
    bits_per_number: float
    coded_bits: float = Field(description="Length of a row in the output of a range coder; never less.")
    mse: float = Field(description="Mean squared error of a number.")
    distortion: float = Field(
        description="Of the decision. scores: mean squared change of what is read over its variance; labels: part that changes."
    )
    agreement: float = Field(
        description="Part of the decisions that stay: the best row of each group, or the label of each row."
    )
    error: float = Field(description="Against the target. scores: mean squared error; labels: part that is wrong.")
    weight_divergence: float | None = Field(
        description="Mean divergence of a group's weights softmax(scores) after rounding from those before; null for labels."
    )
    lagrangian: float | None = Field(description="bits + beta * distortion; null without beta.")


class RateDistortionOutput(Result):
    """How many bits the decision needs."""

    unit: Unit
    prior: Prior
    decides: Literal["scores", "labels"]
    n_rows: int
    n_columns: int
    n_groups: int
    error: float = Field(description="Of what is read from the vectors as they are.")
    blind_error: float = Field(description="Of who sees no vector: variance of the scores, or share of the rarer labels.")
    steps: list[StepOut] = Field(description="From the finest.")
    knee: int = Field(description="Index of the step beyond which further bits change the decision little.")
    best: int | None = Field(description="Index of the step of the least bits + beta * distortion; null without beta.")


def run(given: RateDistortionInput) -> RateDistortionOutput:
    """See :mod:`epf.entropy.rate_distortion.maths`."""
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
    """Target ``(n, k)``, group and fold of each row ``(n,)``; raises ``InvalidRequest`` for what does not fit together."""
    if bool(given.scores) == bool(given.labels):
        field, told = ("labels", "is given beside scores") if given.scores else ("scores", "is missing")
        raise refuse(field, told, "give scores or labels of the rows")
    if n < 2:
        raise refuse("vectors", "has 1 row", "give at least 2: what codes a row is learned from others")
    for name in ("scores", "labels", "groups"):
        if values := getattr(given, name):
            same_length(name, values, "vectors", given.vectors)
    groups = codes_of(given.groups) if given.groups else np.zeros(n, dtype=np.intp)
    if given.groups and groups.max() == 0:
        raise refuse("groups", "has one group only", "leave it out")
    folds = folds_of(groups if given.groups else np.arange(n))
    if given.scores:
        return np.array(given.scores, dtype=np.float64)[:, None], groups, folds
    codes = codes_of(given.labels)
    n_classes = int(codes.max()) + 1
    if n_classes < 2:
        raise refuse("labels", "has one label only", "give rows between which there is something to decide")
    at_most("labels", n_classes, MAX_CLASSES, "different labels")
    return np.eye(n_classes)[codes], groups, folds


def _deltas(given: RateDistortionInput, vectors: FloatArray) -> FloatArray:
    """Steps to try, ascending."""
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
        raise refuse(
            "deltas", f"has {deltas[0]:g}, of which a column spans more than {MAX_SYMBOLS}", f"give {least:.3g} or more"
        )
    at_most("deltas", vectors.shape[1] * len(deltas), MAX_CODED_COLUMNS, "columns to code, over all steps")
    return deltas


def _warnings(prior: Prior, n: int, coarse: int, task: Task) -> list[str]:
    warnings = []
    if n < FEW_ROWS:
        warnings.append(f"{n} rows are few to learn priors and decisions from: give {FEW_ROWS} or more.")
    if coarse and prior == "factorised":
        warnings.append(
            f"At the {coarse} finest steps a column has more than one value per {SAMPLES_PER_VALUE} rows: counts tell little "
            "there, and the logistic prior does most of the work."
        )
    if task.error >= task.blind_error:
        warnings.append(
            f"The vectors do not tell the target: read from them its error is {task.error:.3g}, and {task.blind_error:.3g} "
            "without them. What survives the rounding is a guess."
        )
    return warnings


def from_traces(traces: Sequence[Trace], given: RateDistortionInput) -> RateDistortionInput:
    """Curves or counts of each trace; traces of one problem are a group, if there are several problems."""
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


def tables(found: RateDistortionOutput) -> list[Table]:
    """One row per step."""
    marks = {found.best: "best", found.knee: "knee"} if found.best != found.knee else {found.knee: "knee, best"}
    steps = Table(
        f"{found.n_rows} rows of {found.n_columns} numbers, {found.prior} prior: as they are, they tell {found.decides} with "
        f"error {found.error:.3g} (without them {found.blind_error:.3g})",
        ("step", "bits per row", "coded", "MSE", "distortion", "agreement", "error", f"weights' KL, {found.unit}", ""),
        tuple(
            (s.delta, s.bits, s.coded_bits, s.mse, s.distortion, s.agreement, s.error, s.weight_divergence, marks.get(i, ""))
            for i, s in enumerate(found.steps)
        ),
    )
    return [steps]


def plot(found: RateDistortionOutput, figure: "Figure") -> None:
    """Distortion and agreement against bits."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    bits = [step.bits for step in found.steps]
    left.plot(bits, [step.distortion for step in found.steps], "o-")
    left.set_ylabel("distortion of the decision")
    right.plot(bits, [step.agreement for step in found.steps], "o-", label="decisions that stay")
    right.plot([step.coded_bits for step in found.steps], [step.agreement for step in found.steps], "k+", label="as coded")
    right.set_ylim(top=1.02)
    for axes in (left, right):
        axes.axvline(bits[found.knee], color="grey", linewidth=1)
        axes.set_xlabel("bits per row")
    left.set_title(f"knee at {bits[found.knee]:.3g} bits, step {found.steps[found.knee].delta:.3g}")
    right.legend(frameon=False)


TOOL = Tool(
    name="rate-distortion",
    question="How many bits of this hidden state or curve of scores are needed to keep the decision?",
    paper="Supervised Compression for Resource-Constrained Edge Computing Systems (arXiv 2108.11898)",
    input=RateDistortionInput,
    arrays=("vectors",),
    output=RateDistortionOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
)
