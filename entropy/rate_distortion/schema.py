"""Input and output of ``rate-distortion``."""

from typing import Annotated, Literal

from pydantic import Field

from epf.entropy.core.information import Unit
from epf.entropy.core.schema import Label, Number, Positive, Result, Strict, example
from epf.entropy.rate_distortion.priors import Prior
from epf.entropy.tooling.vectors import Kind
from epf.entropy.traces import TraceInput

MAX_COLUMNS = 2048
MAX_STEPS = 32


class RateDistortionInput(TraceInput):
    """Vectors, such as hidden states or curves of scores, and the decision that is based on them; or traces."""

    model_config = example(
        vectors=[[0.1, 2.0], [0.9, 1.0], [0.2, 1.7], [0.8, 1.2], [0.3, 2.2], [0.7, 0.9], [0.1, 1.9], [0.8, 1.4]],
        scores=[-2.1, 1.9, -1.5, 1.4, -1.2, 1.1, -2.0, 1.5],
        deltas=[0.1, 0.5, 2.0],
    )

    vectors: list[Annotated[list[Number], Field(min_length=1, max_length=MAX_COLUMNS)]] = Field(
        [], description="One row per trace or step, all of the same length."
    )
    scores: list[Number] = Field(
        [], description="Score of each row, such as a log weight or logit. The decision is which row of a group is best."
    )
    labels: list[Label] = Field([], description="Label of each row, such as its answer, instead of scores.")
    groups: list[Label] = Field(
        [],
        description="Group of each row. Rows of a group are compared with each other and stay in the same fold. Default: all "
        "rows are compared, and each row is assigned to a fold separately.",
    )
    deltas: list[Positive] = Field(
        [],
        max_length=MAX_STEPS,
        description="Step sizes of the rounding. Default: 1/32 to 4 times the standard deviation of the columns.",
    )
    prior: Prior = Field(
        "factorised",
        description="Prior of each column. `factorised`: smoothed counts; `logistic` and `gaussian`: a fitted distribution.",
    )
    beta: float | None = Field(
        None, ge=0, le=1e9, description="Value of one unit of distortion in bits per row, which selects the best step size."
    )
    unit: Unit = Field("nats", description="Unit of the divergence of weights. Rates are always in bits.")
    read: Kind = Field(
        "scores",
        description="For traces: the vector of each trace. `scores`: the curve of the reward model's scores; `logprobs`: the "
        "curve of the steps' mean log probabilities; `words`: counts of words.",
    )
    target: str = Field(
        "correct",
        description="For traces: the decision. `correct`, `last_score` (as log odds), or the name of a judge or label.",
    )


class StepOut(Strict):
    """The vectors rounded to one step size."""

    delta: float
    bits: float = Field(description="Information content of a row under the prior.")
    bits_per_number: float
    coded_bits: float = Field(description="Length of a row in the output of a range coder; at least `bits`.")
    mse: float = Field(description="Mean squared error of a number.")
    distortion: float = Field(
        description="Distortion of the decision. For scores, the mean squared change of the prediction over its variance; for "
        "labels, the share of predictions that change."
    )
    agreement: float = Field(
        description="Share of the decisions that do not change: the best row of each group, or the label of each row."
    )
    error: float = Field(
        description="Error of the prediction. For scores, the mean squared error; for labels, the share of wrong labels."
    )
    weight_divergence: float | None = Field(
        description="Mean divergence of a group's weights softmax(scores) after rounding from those before; null for labels."
    )
    lagrangian: float | None = Field(description="bits + beta * distortion; null without `beta`.")


class RateDistortionOutput(Result):
    """How many bits the decision needs."""

    unit: Unit
    prior: Prior
    decides: Literal["scores", "labels"]
    n_rows: int
    n_columns: int
    n_groups: int
    error: float = Field(description="Error of the prediction from the original vectors.")
    blind_error: float = Field(
        description="Error without any vectors: the variance of the scores, or the share of the less frequent labels."
    )
    steps: list[StepOut] = Field(description="One entry per step size, from the finest.")
    knee: int = Field(description="Index of the step size beyond which more bits hardly change the decision.")
    best: int | None = Field(description="Index of the step size that minimises bits + beta * distortion; null without `beta`.")
