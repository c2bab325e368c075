"""``ranking`` for HTTP and command line."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from epf.entropy.core.checks import at_most, refuse, same_length
from epf.entropy.core.information import FloatArray, IntArray, Unit, in_unit
from epf.entropy.core.schema import Number, Result, Strict, example
from epf.entropy.ranking.maths import Ranking, ranking
from epf.entropy.tooling.tool import Table, Tool
from epf.entropy.traces import Trace, TraceInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SCORES = 1_000_000
MAX_CANDIDATES = 10_000
MOST_SHOWN = 16
"""Ranks in the table and the picture."""
CLIP = 1e-7
"""Probabilities are held this far from 0 and 1 before their log odds are taken, as a search does."""

Logits = Annotated[list[Number], Field(min_length=1, max_length=MAX_CANDIDATES)]


class RankingInput(TraceInput):
    """Scores of a student and a teacher for the candidates of each problem, and which candidate is right; or traces."""

    model_config = example(
        student_scores=[[2.0, 1.0, 0.5], [0.1, 0.4, 0.3]], teacher_scores=[[3.0, 1.0, 0.0], [1.0, 2.0, 0.0]], right=[0, None]
    )

    student_scores: list[Logits] = Field([], description="Logits of the small verifier, one row per problem.")
    teacher_scores: list[Logits] = Field([], description="Logits of the big one for the same candidates.")
    right: list[Annotated[int, Field(ge=0)] | None] = Field(
        [], description="Index of each problem's right candidate, which must come first; null or left out, the teacher's best."
    )
    tau: float = Field(1.0, ge=1e-3, le=1e3, description="Temperature of the teacher's weights; the student has none.")
    unit: Unit = Field("nats", description="Of losses and divergence.")
    student: str = Field(
        "scores",
        description="Of traces: whose scores are the student's. scores: log odds of the last one; logprobs: sum over all "
        "tokens; else a name among judges.",
    )
    teacher: str | None = Field(None, description="Of traces: likewise, whose scores are the teacher's.")


class RankOut(Strict):
    """One rank of the ranking that is copied, over all problems with so many candidates."""

    rank: int = Field(description="From 1.")
    n_problems: int
    loss: float = Field(description="Mean contribution to the loss.")
    uninformed_loss: float = Field(description="That of a student that cannot tell candidates apart.")
    share: float = Field(description="Part of the whole loss.")
    followed: float | None = Field(description="Part of the problems in which the student agrees up to this rank.")


class ProblemOut(Strict):
    """One problem, in the order of the input. Problems of traces come in the order in which they first occur."""

    n_candidates: int
    loss: float
    kl: float
    kendall_tau: float
    diverges_at: int | None = Field(description="First rank, from 1, at which the student prefers a lower one; null if none.")
    gradient: list[float] = Field(description="Of the loss in nats by each of the student's logits.")


class RankingOutput(Result):
    """How well the student copies the teacher's ranking with the right candidate first. Means are over problems."""

    unit: Unit
    n_problems: int
    n_decided: int = Field(description="Problems whose candidates differ for the teacher; agreement is counted over these.")
    loss: float = Field(description="PLD.")
    uninformed_loss: float = Field(description="Loss of a student that cannot tell candidates apart.")
    kl: float = Field(description="Divergence of the student's distribution from the teacher's.")
    same_best: float | None = Field(
        description="Part of the problems in which the student puts one of the best above all others; null if none is decided."
    )
    kendall_tau: float | None = Field(description="Rank correlation tau-b, in [-1, 1]; null likewise.")
    ranks: list[RankOut]
    problems: list[ProblemOut]


def run(given: RankingInput) -> RankingOutput:
    """See :func:`epf.entropy.ranking.maths.ranking`."""
    students, teachers = given.student_scores, given.teacher_scores
    right = _checked(given)
    sizes = np.array([len(row) for row in students])
    found = _rankings(students, teachers, sizes, right, given.tau)
    flat = _rankings([[0.0] * size for size in sizes], teachers, sizes, right, given.tau)

    def told(nats: FloatArray | float) -> float:
        return float(in_unit(np.mean(nats), given.unit))

    def agreeing(values: Any, among: Any = True) -> float | None:
        chosen = values[found.decided & among]
        return float(chosen.mean()) if chosen.size else None

    whole = float(found.loss.sum())
    ranks = []
    for k in range(sizes.max()):
        has = sizes > k
        ranks.append(
            RankOut(
                rank=k + 1,
                n_problems=int(has.sum()),
                loss=told(found.contributions[has, k]),
                uninformed_loss=told(flat.contributions[has, k]),
                share=float(found.contributions[:, k].sum()) / whole if whole > 0 else 0.0,
                followed=agreeing(found.diverges_at > k, has),
            )
        )
    n_decided = int(found.decided.sum())
    warnings = []
    if n_decided < len(sizes):
        warnings.append(
            f"{len(sizes) - n_decided} of {len(sizes)} problems have candidates that are all equal to the teacher; agreement "
            "is counted over the others."
        )
    return RankingOutput(
        unit=given.unit,
        n_problems=len(sizes),
        n_decided=n_decided,
        loss=told(found.loss),
        uninformed_loss=told(flat.loss),
        kl=told(found.kl),
        same_best=agreeing(found.same_best),
        kendall_tau=agreeing(found.kendall_tau),
        ranks=ranks,
        problems=[
            ProblemOut(
                n_candidates=int(size),
                loss=told(found.loss[i]),
                kl=told(found.kl[i]),
                kendall_tau=float(found.kendall_tau[i]),
                diverges_at=int(found.diverges_at[i]) + 1 if found.diverges_at[i] < size else None,
                gradient=found.gradient[i, :size].tolist(),
            )
            for i, size in enumerate(sizes)
        ],
        warnings=warnings,
    )


def _checked(given: RankingInput) -> IntArray:
    """Index of each problem's first candidate, ``(n,)``; raises ``InvalidRequest`` for scores that do not fit together."""
    students, teachers = given.student_scores, given.teacher_scores
    if not students:
        raise refuse("student_scores", "has no row", "give one of at least two logits for each problem")
    same_length("teacher_scores", teachers, "student_scores", students)
    if given.right:
        same_length("right", given.right, "student_scores", students)
    at_most("student_scores", len(students) * max(map(len, students)), MAX_SCORES, "numbers, with all rows as the longest")
    first = []
    for i, (student, teacher) in enumerate(zip(students, teachers, strict=True)):
        same_length(f"teacher_scores.{i}", teacher, f"student_scores.{i}", student)
        right = given.right[i] if given.right else None
        if right is not None and right >= len(student):
            raise refuse(f"right.{i}", f"is {right}", f"the candidates of its row are 0 to {len(student) - 1}")
        first.append(int(np.argmax(teacher)) if right is None else right)
    return np.array(first)


def _rankings(
    students: Sequence[Sequence[float]], teachers: Sequence[Sequence[float]], sizes: IntArray, right: IntArray, tau: float
) -> Ranking:
    """Problems with equally many candidates are computed together; rows are filled up with zeros."""
    parts = []
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        student, teacher = (np.array([scores[int(i)] for i in rows], dtype=np.float64) for scores in (students, teachers))
        parts.append((rows, ranking(student, teacher, right[rows], tau=tau)))

    def whole(name: str) -> Any:
        values = [getattr(part, name) for _, part in parts]
        filled = np.zeros((len(sizes), sizes.max())[: values[0].ndim], dtype=values[0].dtype)
        for (rows, _), some in zip(parts, values, strict=True):
            if some.ndim == 1:
                filled[rows] = some
            else:
                filled[rows, : some.shape[1]] = some
        return filled

    return Ranking(**{field.name: whole(field.name) for field in fields(Ranking)})


def from_traces(traces: Sequence[Trace], given: RankingInput) -> RankingInput:
    """One problem for all traces with the same problem text; the right candidate is the teacher's best of the correct ones."""
    if given.teacher is None:
        raise refuse("teacher", "is missing", "name whose scores are the teacher's: scores, logprobs or one of judges")
    groups: defaultdict[str | None, list[int]] = defaultdict(list)
    for i, trace in enumerate(traces):
        groups[trace.problem].append(i)
    student = [_score(trace, given.student, f"traces.{i}") for i, trace in enumerate(traces)]
    teacher = [_score(trace, given.teacher, f"traces.{i}") for i, trace in enumerate(traces)]

    def first(rows: list[int]) -> int | None:
        correct = [k for k, i in enumerate(rows) if traces[i].correct]
        return max(correct, key=lambda k: teacher[rows[k]]) if correct else None

    return given.model_copy(
        update={
            "student_scores": [[student[i] for i in rows] for rows in groups.values()],
            "teacher_scores": [[teacher[i] for i in rows] for rows in groups.values()],
            "right": [first(rows) for rows in groups.values()],
        }
    )


def _score(trace: Trace, whose: str, field: str) -> float:
    """A trace's score as a logit. Raises ``InvalidRequest`` where it has none."""
    if whose == "scores" and trace.scores:
        probability = min(max(trace.scores[-1], CLIP), 1 - CLIP)
        return math.log(probability / (1 - probability))
    if whose == "logprobs" and trace.logprobs is not None:
        return sum(map(sum, trace.logprobs))
    if whose in trace.judges:
        return trace.judges[whose]
    path = f"{field}.{whose}" if whose in ("scores", "logprobs") else f"{field}.judges.{whose}"
    raise refuse(path, "is missing", "give it for every trace, or choose other scores")


def tables(found: RankingOutput) -> list[Table]:
    """The means, and the first ranks."""
    unit = found.unit
    means = Table(
        f"{found.n_problems} problems",
        (f"PLD, {unit}", "of an uninformed student", f"KL, {unit}", "same best", "Kendall's tau"),
        ((found.loss, found.uninformed_loss, found.kl, found.same_best, found.kendall_tau),),
    )
    ranks = Table(
        "By rank of the teacher's ranking, the right candidate first",
        ("rank", "problems", f"loss, {unit}", "uninformed", "share of the loss", "followed so far"),
        tuple((r.rank, r.n_problems, r.loss, r.uninformed_loss, r.share, r.followed) for r in found.ranks[:MOST_SHOWN]),
    )
    return [means, ranks]


def plot(found: RankingOutput, figure: "Figure") -> None:
    """What each rank adds to the loss, and how far the student follows."""
    figure.set_size_inches(9, 3.6)
    left, right = figure.subplots(1, 2)
    shown = found.ranks[:MOST_SHOWN]
    ranks = np.array([rank.rank for rank in shown])
    left.bar(ranks - 0.2, [rank.loss for rank in shown], width=0.4, label=f"student, {found.loss:.3g} in all")
    left.bar(ranks + 0.2, [rank.uninformed_loss for rank in shown], width=0.4, label=f"uninformed, {found.uninformed_loss:.3g}")
    left.set_ylabel(f"loss, {found.unit}")
    left.legend(frameon=False)
    right.plot(ranks, [np.nan if rank.followed is None else rank.followed for rank in shown], "o-")
    right.set_ylim(0, 1)
    right.set_ylabel("part of the problems followed so far")
    for axes in (left, right):
        axes.set_xlabel("rank")
        axes.xaxis.get_major_locator().set_params(integer=True)


TOOL = Tool(
    name="ranking",
    question="How well does a small verifier copy a big one's ranking of candidate answers, and at which rank does it diverge?",
    paper="PLD: A Choice-Theoretic List-Wise Knowledge Distillation (arXiv 2506.12542)",
    input=RankingInput,
    arrays=("student_scores", "teacher_scores"),
    output=RankingOutput,
    run=run,
    from_traces=from_traces,
    tables=tables,
    plot=plot,
)
