"""``ranking`` as a tool."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from epf.entropy.core.checks import at_most, refuse, same_length
from epf.entropy.core.information import FloatArray, IntArray, in_unit
from epf.entropy.ranking.display import conclusion, plot, tables
from epf.entropy.ranking.maths import Ranking, ranking
from epf.entropy.ranking.schema import ProblemOut, RankingInput, RankingOutput, RankOut
from epf.entropy.tooling.scores import log_odds
from epf.entropy.tooling.tool import Tool
from epf.entropy.traces import Trace

MAX_SCORES = 1_000_000


def run(given: RankingInput) -> RankingOutput:
    """Computes :func:`epf.entropy.ranking.maths.ranking`."""
    students, teachers = given.student_scores, given.teacher_scores
    right = _checked(given)
    sizes = np.array([len(row) for row in students])
    found = _rankings(students, teachers, sizes, right, given.tau)
    flat = _rankings([[0.0] * size for size in sizes], teachers, sizes, right, given.tau)

    def converted(nats: FloatArray | float) -> float:
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
                loss=converted(found.contributions[has, k]),
                uninformed_loss=converted(flat.contributions[has, k]),
                share=float(found.contributions[:, k].sum()) / whole if whole > 0 else 0.0,
                followed=agreeing(found.diverges_at > k, has),
            )
        )
    n_decided = int(found.decided.sum())
    warnings = []
    if n_decided < len(sizes):
        warnings.append(
            f"{len(sizes) - n_decided} of {len(sizes)} problems have candidates that the teacher does not distinguish; "
            "agreement is measured on the others."
        )
    return RankingOutput(
        unit=given.unit,
        n_problems=len(sizes),
        n_decided=n_decided,
        loss=converted(found.loss),
        uninformed_loss=converted(flat.loss),
        kl=converted(found.kl),
        same_best=agreeing(found.same_best),
        kendall_tau=agreeing(found.kendall_tau),
        ranks=ranks,
        problems=[
            ProblemOut(
                n_candidates=int(size),
                loss=converted(found.loss[i]),
                kl=converted(found.kl[i]),
                kendall_tau=float(found.kendall_tau[i]),
                diverges_at=int(found.diverges_at[i]) + 1 if found.diverges_at[i] < size else None,
                gradient=found.gradient[i, :size].tolist(),
            )
            for i, size in enumerate(sizes)
        ],
        warnings=warnings,
    )


def _checked(given: RankingInput) -> IntArray:
    """Index of each problem's first candidate, ``(n,)``; raises ``InvalidRequest`` for inconsistent scores."""
    students, teachers = given.student_scores, given.teacher_scores
    if not students:
        raise refuse("student_scores", "has no row", "give a row of at least two logits for each problem")
    same_length("teacher_scores", teachers, "student_scores", students)
    if given.right:
        same_length("right", given.right, "student_scores", students)
    n_scores = len(students) * max(map(len, students))
    at_most("student_scores", n_scores, MAX_SCORES, "numbers, counting every row like the longest")
    first = []
    for i, (student, teacher) in enumerate(zip(students, teachers, strict=True)):
        same_length(f"teacher_scores.{i}", teacher, f"student_scores.{i}", student)
        right = given.right[i] if given.right else None
        if right is not None and right >= len(student):
            raise refuse(f"right.{i}", f"is {right}", f"choose one of the candidates 0 to {len(student) - 1} of this row")
        first.append(int(np.argmax(teacher)) if right is None else right)
    return np.array(first)


def _rankings(
    students: Sequence[Sequence[float]], teachers: Sequence[Sequence[float]], sizes: IntArray, right: IntArray, tau: float
) -> Ranking:
    """Computes problems with the same number of candidates together; rows are padded with zeros."""
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
    """Makes one problem of all traces with the same text; the right candidate is the teacher's best correct one."""
    if given.teacher is None:
        raise refuse("teacher", "is missing", "name the source of the teacher's scores: scores, logprobs or a judge")
    groups: defaultdict[str | None, list[int]] = defaultdict(list)
    for i, trace in enumerate(traces):
        groups[trace.problem].append(i)
    student = [_score(trace, given.student, f"traces.{i}") for i, trace in enumerate(traces)]
    teacher = [_score(trace, given.teacher, f"traces.{i}") for i, trace in enumerate(traces)]
    if len(groups) == len(traces):
        raise refuse("traces", "have one solution of each problem, which has no rank", "give several solutions of each problem")

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


def _score(trace: Trace, source: str, field: str) -> float:
    """A trace's score as a logit. Raises ``InvalidRequest`` if the trace does not have it."""
    if source == "scores" and trace.scores:
        return log_odds(trace.scores[-1])
    if source == "logprobs" and trace.logprobs is not None:
        known = [value for step in trace.logprobs for value in step if value is not None]
        if len(known) < sum(map(len, trace.logprobs)):
            raise refuse(f"{field}.logprobs", "lacks the log probability of some tokens", "choose other scores")
        return sum(known)
    if source in trace.judges:
        return trace.judges[source]
    path = f"{field}.{source}" if source in ("scores", "logprobs") else f"{field}.judges.{source}"
    raise refuse(path, "is missing", "give it for every trace, or choose other scores")


TOOL = Tool(
    name="ranking",
    question="How well does a small verifier copy a large one's ranking of answers, and at which rank does it diverge?",
    paper="PLD: A Choice-Theoretic List-Wise Knowledge Distillation (arXiv 2506.12542)",
    input=RankingInput,
    arrays=("student_scores", "teacher_scores"),
    output=RankingOutput,
    run=run,
    from_traces=from_traces,
    conclusion=conclusion,
    tables=tables,
    plot=plot,
)
