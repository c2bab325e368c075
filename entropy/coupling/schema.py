"""Input and output of ``coupling``."""

from typing import Annotated, Literal

from pydantic import Field

from epf.entropy.core.schema import Positive, Result, Row, Strict, example
from epf.entropy.coupling.maths import Metric
from epf.entropy.tooling.vectors import Kind
from epf.entropy.traces import TraceInput

MAX_GRID = 64

Cost = Annotated[float, Field(ge=0, le=1e9)]


class CouplingInput(TraceInput):
    """Vectors that represent the traces of two sets, or the costs of pairing them; or traces."""

    model_config = example(
        x=[[0.0, 0.1], [1.0, 0.9], [2.0, 2.1]], y=[[0.1, 0.0], [1.1, 1.0], [1.9, 2.0], [5.0, 5.0]], plan=True
    )

    x: list[Row] = Field([], description="Vectors of the first set, such as embeddings, one row per trace.")
    y: list[Row] = Field([], description="Vectors of the second set, with rows of the same length.")
    costs: list[Annotated[list[Cost], Field(min_length=1)]] = Field(
        [], description="Cost of each pair, one row per x, instead of x and y."
    )
    metric: Metric = Field(
        "euclidean", description="Metric that gives the cost of a pair of vectors. The paper uses the Euclidean distance."
    )
    eps: list[Positive] = Field(
        [],
        max_length=MAX_GRID,
        description="One value of eps to use, or a grid to choose from. Default: 0.1 to 10 times the standard deviation of the "
        "costs.",
    )
    kappa: list[Positive] = Field(
        [],
        max_length=MAX_GRID,
        description="Values of kappa, instead of eps. In the paper, eps is kappa times the square root of the vectors' length.",
    )
    plan: bool = Field(False, description="Whether to compute the entropic optimal transport plan and the distance to it.")
    matrices: bool = Field(False, description="Whether to return the complete weights, coupling and plan.")
    split: str = Field("correct", description="For traces: what separates x from y, either `correct` or the name of a label.")
    between: list[str] = Field(
        [],
        max_length=2,
        description="For traces: the value of `split` for x and the one for y. Default: its two values, in order of first "
        "occurrence.",
    )
    vectors: Kind = Field(
        "scores",
        description="For traces: the vector that represents one. `scores`: the curve of the reward model's scores; `logprobs`: "
        "the curve of the steps' mean log probabilities; `words`: counts of words.",
    )


class EpsOut(Strict):
    """The coupling at one eps."""

    eps: float
    kappa: float | None = Field(description="eps over the square root of the vectors' length; null for costs.")
    x_tilt: float = Field(description="Relative variance of the tilt of x; 0 if the coupling keeps its marginal.")
    y_tilt: float = Field(description="Relative variance of the tilt of y.")
    marginal_gap: float = Field(
        description="Total variation distance from equal weights, in [0, 1], of the marginal that is further from them."
    )
    ess: float = Field(description="Effective number of pairs.")


class MatchOut(Strict):
    """The most probable partner of one x, at the chosen eps."""

    x: int = Field(description="Row of x, from 0. For traces, the number among the traces of x.")
    y: int = Field(description="Row of y, from 0. For traces, the number among the traces of y.")
    cost: float
    probability: float = Field(description="Probability of this partner, given x.")
    mutual: bool = Field(description="Whether x is also the most probable partner of this y.")


class PlanOut(Strict):
    """The entropic optimal transport plan at the chosen eps, which keeps both marginals."""

    gap: float = Field(description="Total variation distance between the coupling and the plan, in [0, 1].")
    mean_cost: float
    converged: bool


class MatricesOut(Strict):
    """The values of all pairs at the chosen eps, one row per x."""

    weights: list[list[float]] = Field(description="exp(-cost / eps), the weights of the training loss.")
    coupling: list[list[float]] = Field(description="Weights, normalised to sum to 1.")
    plan: list[list[float]] | None


class CouplingOutput(Result):
    """How two sets of traces line up, and how far the cheap coupling is from the plan that keeps the marginals."""

    n_x: int
    n_y: int
    eps: float = Field(description="The eps of everything outside `grid`.")
    chosen_by: Literal["given", "knee"] = Field(
        description="`given`: the request has one value. `knee`: the eps at which the tilt flattens along the grid."
    )
    grid: list[EpsOut]
    mean_cost: float = Field(description="Mean cost of a pair under the coupling.")
    independent_cost: float = Field(description="Mean cost of independent pairs.")
    x_marginal: list[float] = Field(description="Tilted marginal of x; all equal if there is no tilt.")
    y_marginal: list[float]
    matches: list[MatchOut]
    n_mutual: int
    plan: PlanOut | None
    matrices: MatricesOut | None
