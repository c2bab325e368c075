"""Input and output of ``ranking``."""

from typing import Annotated

from pydantic import Field

from epf.entropy.core.information import Unit
from epf.entropy.core.schema import Number, Result, Strict, example
from epf.entropy.traces import TraceInput

MAX_CANDIDATES = 10_000

Logits = Annotated[list[Number], Field(min_length=1, max_length=MAX_CANDIDATES)]


class RankingInput(TraceInput):
    """Scores of a student and a teacher for the candidates of each problem, and which candidate is right; or traces."""

    model_config = example(
        student_scores=[[2.0, 1.0, 0.5], [0.1, 0.4, 0.3]], teacher_scores=[[3.0, 1.0, 0.0], [1.0, 2.0, 0.0]], right=[0, None]
    )

    student_scores: list[Logits] = Field([], description="Logits of the small verifier, one row per problem.")
    teacher_scores: list[Logits] = Field([], description="Logits of the large verifier for the same candidates.")
    right: list[Annotated[int, Field(ge=0)] | None] = Field(
        [],
        description="Index of each problem's right candidate, which must come first. Null or omitted: the teacher's best.",
    )
    tau: float = Field(
        1.0, ge=1e-3, le=1e3, description="Temperature of the teacher's weights; it does not apply to the student."
    )
    unit: Unit = Field("nats", description="Unit of losses and divergence.")
    student: str = Field(
        "scores",
        description="For traces: source of the student's scores. `scores`: log odds of the last score; `logprobs`: sum over "
        "all tokens; otherwise the name of a judge.",
    )
    teacher: str | None = Field(
        None, description="For traces: source of the teacher's scores, with the same choices as `student`."
    )


class RankOut(Strict):
    """One rank of the target ranking, over all problems that have this rank."""

    rank: int = Field(description="Rank, from 1.")
    n_problems: int
    loss: float = Field(description="Mean contribution to the loss.")
    uninformed_loss: float = Field(description="Mean contribution for a student that cannot distinguish candidates.")
    share: float = Field(description="Share of the total loss.")
    followed: float | None = Field(description="Share of the problems in which the student agrees up to this rank.")


class ProblemOut(Strict):
    """One problem, in the order of the input. Problems of traces are in order of first occurrence."""

    n_candidates: int
    loss: float
    kl: float
    kendall_tau: float
    diverges_at: int | None = Field(
        description="First rank, from 1, at which the student prefers a lower candidate; null if there is no such rank."
    )
    gradient: list[float] = Field(description="Gradient of the loss in nats with respect to the student's logits.")


class RankingOutput(Result):
    """How well the student copies the teacher's ranking with the right candidate first. Means are over problems."""

    unit: Unit
    n_problems: int
    n_decided: int = Field(
        description="Number of problems whose candidates the teacher distinguishes. Agreement is measured on these."
    )
    loss: float = Field(description="PLD.")
    uninformed_loss: float = Field(description="PLD of a student that cannot distinguish candidates.")
    kl: float = Field(description="Divergence KL(teacher || student) of the distributions over candidates.")
    same_best: float | None = Field(
        description="Share of the decided problems in which the student puts one of the best candidates above all others; null "
        "if no problem is decided."
    )
    kendall_tau: float | None = Field(
        description="Rank correlation tau-b over the decided problems, in [-1, 1]; null if no problem is decided."
    )
    ranks: list[RankOut]
    problems: list[ProblemOut]
