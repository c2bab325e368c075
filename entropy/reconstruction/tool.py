"""``reconstruction`` as a tool."""

from collections.abc import Iterable, Sequence

from epf.entropy.core.checks import at_most, refuse
from epf.entropy.core.information import in_unit
from epf.entropy.core.schema import Label
from epf.entropy.reconstruction.display import conclusion, plot, tables
from epf.entropy.reconstruction.maths import reconstruction
from epf.entropy.reconstruction.schema import ColumnOut, PairOut, ReconstructionInput, ReconstructionOutput
from epf.entropy.tooling.scores import SUMMARIES, bin_of, quantile_edges
from epf.entropy.tooling.tool import Tool
from epf.entropy.traces import Trace

MAX_LABELS = 5_000_000
MAX_STEP_COLUMNS = 16
NONE = "none"
"""Label of a trace that does not have a value in a column."""


def run(given: ReconstructionInput) -> ReconstructionOutput:
    """Computes :func:`epf.entropy.reconstruction.maths.reconstruction`."""
    at_most("columns", sum(map(len, given.columns.values())), MAX_LABELS, "labels")
    target = given.target
    if target is None:
        raise refuse("target", "is missing", "name the column to recover")
    found = reconstruction(given.columns, target, min_count=given.min_count)

    def converted(nats: float) -> float:
        return float(in_unit(nats, given.unit))

    return ReconstructionOutput(
        target=target,
        unit=given.unit,
        n_samples=len(given.columns[target]),
        verdict=found.verdict,
        unknown=converted(found.unknown),
        target_entropy=converted(found.target_entropy),
        recovers=found.recovers,
        sum_distance=found.sum_distance,
        bound=found.bound,
        delta=found.delta,
        independent=found.independent,
        missing_values=found.missing_values,
        missing_entropy=converted(found.missing_entropy),
        sufficient=list(found.sufficient),
        sufficient_is_smallest=found.sufficient_is_smallest,
        columns=[
            ColumnOut(
                name=column.name,
                n_values=column.n_values,
                entropy=converted(column.entropy),
                distance=column.distance,
                dependency=column.dependency,
                tells=converted(column.information),
                lost_without=converted(column.lost_without),
            )
            for column in found.columns
        ],
        pairs=[
            PairOut(
                a=pair.a,
                b=pair.b,
                shannon=converted(pair.shannon),
                rajski=pair.rajski,
                information=converted(pair.information),
                join=converted(pair.join),
                meet=converted(pair.meet),
            )
            for pair in found.pairs
        ],
        warnings=[*found.warnings, *_constant(target, len(set(given.columns[target])))],
    )


def _constant(target: str, n_values: int) -> list[str]:
    if n_values > 1:
        return []
    return [f"`{target}` has the same value in all samples, so that nothing has to be recovered: give samples that differ."]


def from_traces(traces: Sequence[Trace], given: ReconstructionInput) -> ReconstructionInput:
    """Makes one label per trace and column; a missing value becomes ``none``, and a column without any value is dropped."""
    columns: dict[str, list[Label]] = {}

    def add(name: str, labels: Iterable[Label | None]) -> None:
        column = list(labels)
        if any(label is not None for label in column):
            columns[name] = [NONE if label is None else label for label in column]

    add("correct", (trace.correct for trace in traces))
    add("n_steps", (len(trace.steps) or None for trace in traces))
    for name, summary in SUMMARIES.items():
        add(name, _binned([summary(trace.scores) if trace.scores else None for trace in traces], given.bins))
    for name in dict.fromkeys(name for trace in traces for name in trace.labels):
        add(name, (trace.labels.get(name) for trace in traces))
    if len({trace.problem for trace in traces}) == 1:
        add("answer", (trace.answer for trace in traces))
        for k in range(min(MAX_STEP_COLUMNS, max(len(trace.steps) for trace in traces))):
            add(f"step_{k + 1}", (trace.steps[k] if k < len(trace.steps) else None for trace in traces))
    target = given.target or ("correct" if "correct" in columns else "answer")
    for i, name in enumerate(given.use):
        if name not in columns:
            raise refuse(f"use.{i}", "is not a column of these traces", f"choose one of {', '.join(columns)}")
    used = {name: labels for name, labels in columns.items() if not given.use or name in given.use or name == target}
    return given.model_copy(update={"columns": used, "target": target})


def _binned(scores: list[float | None], n_bins: int) -> list[int | None]:
    """Number of each score's bin; the edges are quantiles."""
    known = [score for score in scores if score is not None]
    if not known:
        return [None] * len(scores)
    edges = quantile_edges(known, n_bins)
    return [None if score is None else bin_of(score, edges) for score in scores]


TOOL = Tool(
    name="reconstruction",
    question="Can the answer be recovered from these step labels, which of them are redundant, and what is missing?",
    paper="An Information Theoretic Condition for Perfect Reconstruction (arXiv 2306.15540)",
    input=ReconstructionInput,
    arrays=("columns",),
    output=ReconstructionOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
)
