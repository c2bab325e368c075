"""``reconstruction`` for HTTP and command line."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import at_most, refuse
from epf.entropy.core.information import Unit, in_unit
from epf.entropy.core.schema import Label, Result, Strict, example
from epf.entropy.reconstruction.maths import reconstruction
from epf.entropy.tooling.tool import Table, Tool
from epf.entropy.traces import Trace, TraceInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LABELS = 5_000_000
MAX_COLUMNS = 64
MAX_STEP_COLUMNS = 16
NONE = "none"

Labels = Annotated[list[Label], Field(min_length=1)]


class ReconstructionInput(TraceInput):
    """Columns of labels, one label per trace, and the one that is to be recovered from the others; or traces."""

    model_config = example(
        columns={"answer": ["4", "4", "6", "6"], "step_1": ["add", "add", "times", "times"], "step_2": [1, 2, 1, 2]},
        target="answer",
    )

    columns: dict[str, Labels] = Field(
        {},
        max_length=MAX_COLUMNS,
        description="Labels of each trace by what they are: step labels, score bins, cluster ids, answers.",
    )
    target: str | None = Field(None, description="Column to recover. Of traces: correct where it is known, else answer.")
    min_count: int = Field(1, ge=1, description="Pairs of values seen less often do not count for what two columns share.")
    unit: Unit = Field("nats", description="Of all informations.")
    use: list[str] = Field(
        [],
        max_length=MAX_COLUMNS,
        description="Of traces: only these columns. There are answer, correct, n_steps, first_score, lowest_score, last_score, "
        "each name of labels, and, of traces of one problem, step_1, step_2 ...",
    )
    bins: int = Field(4, ge=2, le=64, description="Of traces: scores are put into so many bins of equal share.")


class ColumnOut(Strict):
    """One column."""

    name: str
    n_values: int = Field(description="Distinct values.")
    entropy: float
    distance: float = Field(description="Rajski distance to what is to be recovered, in [0, 1].")
    dependency: float = Field(description="1 - distance.")
    tells: float = Field(description="Mutual information with the target: what the column tells of it by itself.")
    lost_without: float = Field(description="So much less is known of the target without this column; 0: it is redundant.")


class PairOut(Strict):
    """Two columns."""

    a: str
    b: str
    shannon: float = Field(description="Shannon distance H(a|b) + H(b|a).")
    rajski: float = Field(description="Shannon distance over joint entropy, in [0, 1].")
    information: float = Field(description="Mutual information.")
    join: float = Field(description="Entropy of both together.")
    meet: float = Field(description="Entropy of what they have in common exactly, at most the mutual information.")


class ReconstructionOutput(Result):
    """Whether the target can be recovered, and what each column is worth."""

    target: str
    unit: Unit
    n_samples: int
    verdict: Literal["exact", "impossible", "incomplete"] = Field(
        description="exact: the columns determine the target in this sample. impossible: the distances prove that they do not. "
        "incomplete: the distances would allow it, and yet they do not."
    )
    unknown: float = Field(description="Entropy of the target that all columns together leave.")
    target_entropy: float
    recovers: Literal["target", "state"] = Field(
        description="What the condition is put to: the target if all columns are functions of it, else target and columns."
    )
    sum_distance: float = Field(description="Sum of the columns' Rajski distances to it.")
    bound: float = Field(description="n - 1: a larger sum is impossible to recover from (Theorem 1).")
    delta: float = Field(description="Its distance to all columns together; the sum lies between delta and bound + delta.")
    independent: bool = Field(description="The columns are independent; then the condition is also sufficient (Theorem 2).")
    missing_values: int = Field(description="A label with so many values would complete the columns; 1 if nothing is missing.")
    missing_entropy: float = Field(description="Entropy of that label.")
    sufficient: list[str] = Field(description="Columns that tell as much of the target as all do.")
    sufficient_is_smallest: bool = Field(description="No smaller set does; else none of these can be left out.")
    columns: list[ColumnOut]
    pairs: list[PairOut]


def run(given: ReconstructionInput) -> ReconstructionOutput:
    """See :func:`epf.entropy.reconstruction.maths.reconstruction`."""
    at_most("columns", sum(map(len, given.columns.values())), MAX_LABELS, "labels")
    target = given.target
    if target is None:
        raise refuse("target", "is missing", "name the column to recover")
    found = reconstruction(given.columns, target, min_count=given.min_count)

    def told(nats: float) -> float:
        return float(in_unit(nats, given.unit))

    return ReconstructionOutput(
        target=target,
        unit=given.unit,
        n_samples=len(given.columns[target]),
        verdict=found.verdict,
        unknown=told(found.unknown),
        target_entropy=told(found.target_entropy),
        recovers=found.recovers,
        sum_distance=found.sum_distance,
        bound=found.bound,
        delta=found.delta,
        independent=found.independent,
        missing_values=found.missing_values,
        missing_entropy=told(found.missing_entropy),
        sufficient=list(found.sufficient),
        sufficient_is_smallest=found.sufficient_is_smallest,
        columns=[
            ColumnOut(
                name=column.name,
                n_values=column.n_values,
                entropy=told(column.entropy),
                distance=column.distance,
                dependency=column.dependency,
                tells=told(column.tells),
                lost_without=told(column.lost_without),
            )
            for column in found.columns
        ],
        pairs=[
            PairOut(
                a=pair.a,
                b=pair.b,
                shannon=told(pair.shannon),
                rajski=pair.rajski,
                information=told(pair.information),
                join=told(pair.join),
                meet=told(pair.meet),
            )
            for pair in found.pairs
        ],
        warnings=list(found.warnings),
    )


def from_traces(traces: Sequence[Trace], given: ReconstructionInput) -> ReconstructionInput:
    """Labels of each trace; a column that some traces lack has the label ``none`` there, one that all lack is left out."""
    columns: dict[str, list[Label]] = {}

    def add(name: str, labels: Iterable[Label | None]) -> None:
        column = list(labels)
        if any(label is not None for label in column):
            columns[name] = [NONE if label is None else label for label in column]

    add("correct", (trace.correct for trace in traces))
    add("n_steps", (len(trace.steps) or None for trace in traces))
    for name, pick in SCORES.items():
        add(name, _binned([pick(trace.scores) if trace.scores else None for trace in traces], given.bins))
    for name in dict.fromkeys(name for trace in traces for name in trace.labels):
        add(name, (trace.labels.get(name) for trace in traces))
    if len({trace.problem for trace in traces}) == 1:
        add("answer", (trace.answer for trace in traces))
        for k in range(min(MAX_STEP_COLUMNS, max(len(trace.steps) for trace in traces))):
            add(f"step_{k + 1}", (trace.steps[k] if k < len(trace.steps) else None for trace in traces))
    target = given.target or ("correct" if "correct" in columns else "answer")
    for i, name in enumerate(given.use):
        if name not in columns:
            raise refuse(f"use.{i}", "is no column of these traces", f"choose of {', '.join(columns)}")
    used = {name: labels for name, labels in columns.items() if not given.use or name in given.use or name == target}
    return given.model_copy(update={"columns": used, "target": target})


SCORES: dict[str, Callable[[list[float]], float]] = {
    "first_score": lambda scores: scores[0],
    "lowest_score": min,
    "last_score": lambda scores: scores[-1],
}


def _binned(scores: list[float | None], bins: int) -> list[int | None]:
    """Number of each score's bin; the edges are quantiles."""
    known = [score for score in scores if score is not None]
    if not known:
        return [None] * len(scores)
    edges = np.quantile(known, np.arange(1, bins) / bins)
    return [None if score is None else int(np.searchsorted(edges, score, side="right")) for score in scores]


def tables(found: ReconstructionOutput) -> list[Table]:
    """The verdict, the columns, and the pairs that are nearest."""
    verdict = Table(
        f"`{found.target}` from {len(found.columns)} columns of {found.n_samples} traces: {found.verdict}",
        ("sum of distances", "at most", "delta", f"H(target), {found.unit}", "left unknown", "sufficient"),
        (
            (
                found.sum_distance,
                found.bound,
                found.delta,
                found.target_entropy,
                found.unknown,
                ", ".join(found.sufficient) or "none needed",
            ),
        ),
    )
    columns = Table(
        "Columns",
        ("column", "values", f"H, {found.unit}", "distance", "tells", "lost without it"),
        tuple((c.name, c.n_values, c.entropy, c.distance, c.tells, c.lost_without) for c in found.columns),
    )
    nearest = sorted(found.pairs, key=lambda pair: pair.rajski)[:10]
    pairs = Table(
        "Nearest pairs",
        ("a", "b", "Rajski", f"Shannon, {found.unit}", "information", "in common"),
        tuple((p.a, p.b, p.rajski, p.shannon, p.information, p.meet) for p in nearest),
    )
    return [verdict, columns, pairs]


def plot(found: ReconstructionOutput, figure: "Figure") -> None:
    """Rajski distances between all columns, and what would be lost without each."""
    names = [*(column.name for column in found.columns), found.target]
    place = {name: i for i, name in enumerate(names)}
    distances = np.zeros((len(names), len(names)))
    for pair in found.pairs:
        distances[place[pair.a], place[pair.b]] = distances[place[pair.b], place[pair.a]] = pair.rajski
    figure.set_size_inches(3.0 + 0.9 * len(names), 1.8 + 0.42 * len(names))
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1.0))
    image = left.imshow(distances, vmin=0, vmax=1, cmap="viridis_r")
    left.set_xticks(range(len(names)), names, rotation=45, ha="right")
    left.set_yticks(range(len(names)), names)
    left.set_title("Rajski distance")
    figure.colorbar(image, ax=left, shrink=0.8)
    own = [column.name for column in found.columns]
    right.barh(own, [column.tells for column in found.columns], color="0.8", label="told by the column alone")
    right.barh(own, [column.lost_without for column in found.columns], height=0.4, label="lost without it")
    right.axvline(found.target_entropy, color="0.4", ls=":", lw=1)
    right.invert_yaxis()
    right.legend(frameon=False)
    right.set_xlabel(f"of `{found.target}`, {found.unit}")
    right.set_title(f"{found.verdict}: {found.unknown:.3g} of {found.target_entropy:.3g} {found.unit} unknown")


TOOL = Tool(
    name="reconstruction",
    question="Can the answer be recovered from these step labels, which of them are redundant, and what is missing?",
    paper="An Information Theoretic Condition for Perfect Reconstruction (arXiv 2306.15540)",
    input=ReconstructionInput,
    arrays=("columns",),
    output=ReconstructionOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
)
