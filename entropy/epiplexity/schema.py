"""Input and output of ``epiplexity``."""

from typing import Annotated, Literal

from pydantic import Field

from epf.entropy.core.checks import refuse
from epf.entropy.core.information import Unit, in_unit
from epf.entropy.core.schema import Result, Strict, example
from epf.entropy.epiplexity.maths import AreaRule
from epf.entropy.traces import TraceInput

Amount = Annotated[float, Field(gt=0, le=1e30)]
Loss = Annotated[float, Field(ge=0, le=1e6)]
Estimator = Literal["n-gram", "prequential", "requential", "scaling law"]


class Run(Strict):
    """Training of one model, logged at some points."""

    name: str = Field("", max_length=200)
    tokens: list[Amount] = Field(min_length=1, description="Training tokens up to each point; rising.")
    loss: list[Loss] = Field(
        [],
        description="Loss per token at each point, before these tokens were trained on; of a student, on the teacher's data.",
    )
    kl: list[Loss] = Field(
        [],
        description="Of a student that learns from a teacher's samples: KL(teacher || student) per token of each step, where "
        "every point ends a step. Then the length is requential, otherwise it is the area of the loss curve.",
    )
    final_loss: Loss | None = Field(None, description="Loss per token of the final model on unseen data; else the last loss.")
    parameters: Amount | None = Field(None, description="Of the model. Needed for several runs, to compare their compute.")
    epoch_tokens: Amount | None = Field(None, description="Size of the training set; a run beyond it is refused.")


class Law(Strict):
    """Loss = e + (n0 / parameters)^alpha + (d0 / tokens)^beta per token."""

    alpha: float = Field(gt=0, lt=1)
    beta: float = Field(gt=0, lt=1)
    n0: Amount
    d0: Amount
    e: Loss


class EpiplexityInput(TraceInput):
    """One of: training runs, sequences of symbols, a scaling law; or traces."""

    model_config = example(
        runs=[
            {"name": "small", "parameters": 1e6, "tokens": [1e6, 2e6, 4e6, 8e6], "loss": [3.0, 2.6, 2.4, 2.35]},
            {"name": "large", "parameters": 4e6, "tokens": [1e6, 2e6, 4e6, 8e6], "loss": [2.9, 2.3, 1.9, 1.7]},
        ],
        test_tokens=8e6,
    )

    runs: list[Run] = Field([], max_length=10_000, description="Training runs on one kind of data, of one size or several.")
    sequences: list[list[Annotated[int, Field(ge=0, le=2**31)]]] = Field(
        [], description="Token ids, which n-gram models of orders 0 to 5 learn and code."
    )
    law: Law | None = Field(None, description="A scaling law of the loss.")
    test_tokens: Amount | None = Field(None, description="Of runs and law: tokens of the data set that is measured.")
    compute: Amount | None = Field(None, description="Of a law: FLOPs to train a model and to evaluate the data set.")
    rule: AreaRule = Field(
        "trapezoid",
        description="Of loss curves. trapezoid: losses at the points, from the first point on. sum: each loss is the mean over "
        "the tokens since the point before.",
    )
    prior: float = Field(
        0.5, ge=1e-6, le=1e3, description="Of n-grams: pseudo-count of each symbol; 0.5 is Krichevsky-Trofimov, 1 Laplace."
    )
    loss_unit: Unit = Field("nats", description="Of the losses and divergences that are given.")
    unit: Unit = Field("bits", description="Of the answer.")


class ModelOut(Strict):
    """One model: a run at its end, an order of n-grams, or the optimum of a scaling law."""

    name: str
    parameters: float | None = Field(description="Of an n-gram: counts that it stores.")
    tokens: float = Field(description="Trained on.")
    compute: float | None = Field(
        description="FLOPs of training and of evaluating the data set. Of an n-gram: symbols looked at for the same."
    )
    structure: float = Field(description="Length of the model: what could be learned.")
    noise: float | None = Field(description="Length of the data set given the model: what could not.")
    total: float | None
    structure_coded: float | None = Field(
        None, description="Requential: with the overhead of each step's message, log2(1 + KL) + 4 bits."
    )
    structure_coded_universal: float | None = Field(None, description="Requential: with 2 log2(1 + KL) + 5.21 bits instead.")
    structure_limit: float | None = Field(None, description="Scaling law: structure for unbounded compute.")


class FrontierOut(Strict):
    """The shortest code within a compute: one checkpoint of one model."""

    model: int = Field(description="Index among models.")
    tokens: float
    compute: float
    structure: float
    noise: float
    total: float


class CurvePoint(Strict):
    """Mean length per symbol by the best n-gram while it learns."""

    tokens: int
    loss: float = Field(description="Of the symbols since the point before.")


class EpiplexityOutput(Result):
    """How much of the data set can be learned, and how much stays noise to such learners."""

    estimator: Estimator
    unit: Unit
    test_tokens: float
    symbols: int | None = Field(None, description="Of sequences: distinct symbols, which the code takes as known.")
    structure: float = Field(description="Epiplexity: length of the model in the shortest two-part code.")
    noise: float | None = Field(description="Time-bounded entropy: length of the data set given that model.")
    best: str = Field(description="Name of that model.")
    models: list[ModelOut]
    frontier: list[FrontierOut] = Field(description="By rising compute; empty where compute is not known.")
    curve: list[CurvePoint] = Field([], description="Of sequences; else empty.")


def needed(field: str, value: float | None, fix: str) -> float:
    """The value; raises ``InvalidRequest`` where it is missing."""
    if value is None:
        raise refuse(field, "is missing", fix)
    return value


def told(nats: float, given: EpiplexityInput) -> float:
    """In the unit of the answer."""
    return float(in_unit(nats, given.unit))
