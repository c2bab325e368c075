"""Input and output of ``epiplexity``."""

from typing import Annotated, Literal

from pydantic import Field

from epf.entropy.core.checks import refuse
from epf.entropy.core.information import Unit, in_unit
from epf.entropy.core.schema import Result, Strict, example
from epf.entropy.epiplexity.maths import AreaRule
from epf.entropy.traces import TraceInput

Amount = Annotated[float, Field(ge=1e-9, le=1e30)]
Exponent = Annotated[float, Field(ge=1e-3, le=0.999)]
Loss = Annotated[float, Field(ge=0, le=1e6)]
Estimator = Literal["n-gram", "prequential", "requential", "scaling law"]


class Run(Strict):
    """The training of one model, logged at some points."""

    name: str = Field("", max_length=200)
    tokens: list[Amount] = Field(min_length=1, description="Training tokens up to each point, strictly increasing.")
    loss: list[Loss] = Field(
        [],
        description="Loss per token at each point, before training on these tokens. For a student, the loss on the teacher's "
        "data.",
    )
    kl: list[Loss] = Field(
        [],
        description="For a student that learns from a teacher's samples: KL(teacher || student) per token of each step, where "
        "every point ends a step. The length is then requential; otherwise it is the area of the loss curve.",
    )
    final_loss: Loss | None = Field(
        None, description="Loss per token of the final model on unseen data. Default: the last value of `loss`."
    )
    parameters: Amount | None = Field(
        None, description="Number of parameters. Required for several runs, whose compute is compared."
    )
    epoch_tokens: Amount | None = Field(
        None, description="Number of tokens in the training set. A run that goes beyond it is refused."
    )


class Law(Strict):
    """Loss per token = e + (n0 / parameters)^alpha + (d0 / tokens)^beta."""

    alpha: Exponent
    beta: Exponent
    n0: Amount
    d0: Amount
    e: Loss


class EpiplexityInput(TraceInput):
    """One of training runs, sequences of symbols and a scaling law; or traces."""

    model_config = example(
        runs=[
            {"name": "small", "parameters": 1e6, "tokens": [1e6, 2e6, 4e6, 8e6], "loss": [3.0, 2.6, 2.4, 2.35]},
            {"name": "large", "parameters": 4e6, "tokens": [1e6, 2e6, 4e6, 8e6], "loss": [2.9, 2.3, 1.9, 1.7]},
        ],
        test_tokens=8e6,
    )

    runs: list[Run] = Field(
        [], max_length=10_000, description="Training runs on data of one kind, with models of one or more sizes."
    )
    sequences: list[list[Annotated[int, Field(ge=0, le=2**31)]]] = Field(
        [], description="Token ids, which n-gram models of orders 0 to 5 learn and encode."
    )
    law: Law | None = Field(None, description="A scaling law of the loss.")
    test_tokens: Amount | None = Field(
        None, description="Number of tokens in the measured data set. Required for runs and a law."
    )
    compute: Amount | None = Field(None, description="FLOPs to train a model and to evaluate the data set. Required for a law.")
    rule: AreaRule = Field(
        "trapezoid",
        description="How the area of a loss curve is computed. `trapezoid`: losses are values at the points, and the area "
        "starts at the first one. `sum`: each loss is the mean over the tokens since the previous point.",
    )
    prior: float = Field(
        0.5,
        ge=1e-6,
        le=1e3,
        description="Pseudo-count of each symbol in the n-gram models: 0.5 is Krichevsky-Trofimov, 1 is Laplace.",
    )
    loss_unit: Unit = Field("nats", description="Unit of the losses and divergences in the request.")
    unit: Unit = Field("bits", description="Unit of the answer.")


class ModelOut(Strict):
    """One model: a run at its end, an order of n-grams, or the optimum of a scaling law."""

    name: str
    parameters: float | None = Field(description="Number of parameters; for n-grams, the number of stored counts.")
    tokens: float = Field(description="Number of training tokens.")
    compute: float | None = Field(
        description="FLOPs to train the model and to evaluate the data set; for n-grams, the number of symbols read."
    )
    structure: float = Field(description="Length of the model: what can be learned.")
    noise: float | None = Field(description="Length of the data set given the model: what cannot be learned.")
    total: float | None
    structure_coded: float | None = Field(
        None, description="Requential length including the overhead of each step's message, log2(1 + KL) + 4 bits."
    )
    structure_coded_universal: float | None = Field(
        None, description="Requential length including 2 log2(1 + KL) + 5.21 bits per step instead."
    )
    structure_limit: float | None = Field(None, description="Structure under a scaling law with unbounded compute.")


class FrontierOut(Strict):
    """The shortest code within a compute budget: one checkpoint of one model."""

    model: int = Field(description="Index in `models`.")
    tokens: float
    compute: float
    structure: float
    noise: float
    total: float


class CurvePoint(Strict):
    """Mean length per symbol under the best n-gram model while it learns."""

    tokens: int
    loss: float = Field(description="Mean over the symbols since the previous point.")


class EpiplexityOutput(Result):
    """How much of the data set such learners can learn, and how much remains noise to them."""

    estimator: Estimator
    unit: Unit
    test_tokens: float
    symbols: int | None = Field(
        None, description="Number of distinct symbols, which the code takes as known; only for sequences."
    )
    structure: float = Field(description="Epiplexity: length of the model in the shortest two-part code.")
    noise: float | None = Field(description="Time-bounded entropy: length of the data set given that model.")
    best: str = Field(description="Name of that model.")
    models: list[ModelOut]
    frontier: list[FrontierOut] = Field(description="Shortest codes by rising compute; empty if compute is not known.")
    curve: list[CurvePoint] = Field([], description="Learning curve; only for sequences.")


def required(field: str, value: float | None, fix: str) -> float:
    """Returns the value. Raises ``InvalidRequest`` if it is missing."""
    if value is None:
        raise refuse(field, "is missing", fix)
    return value


def in_answer_unit(nats: float, given: EpiplexityInput) -> float:
    """Converts nats to the unit of the answer."""
    return float(in_unit(nats, given.unit))
