"""Input and output of ``attention``."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from epf.entropy.attention.maths import Granularity
from epf.entropy.core.schema import Result, Strict, example

SUM_TOLERANCE = 1e-3
"""Maximum difference from 1 of the sum of a row that was computed with 16 bits."""
SATURATED = 0.95
"""A head with at least this part of its ceiling counts as saturated (our threshold)."""
COLLAPSED = 0.05
"""A head with at most this part of its ceiling counts as collapsed (our threshold)."""

Part = Annotated[float, Field(ge=0, le=1 + SUM_TOLERANCE)]
Entropy = Annotated[float, Field(ge=0, le=100)]
Bin = Literal["lowest", "low", "high", "highest"]
BINS: tuple[Bin, ...] = get_args(Bin)


class AttentionInput(Strict):
    """Attention on one text: the maps of each layer and head, the entropies of their rows, or the entropies of the heads."""

    model_config = example(
        row_entropies=[[[0.0, 0.69, 1.09, 1.38], [0.0, 0.1, 0.0, 0.05]], [[0.0, 0.5, 0.6, 0.7], [0.0, 0.3, 0.9, 1.1]]],
        step_of=[None, 0, 0, 1],
    )

    attentions: list[list[list[list[Part]]]] = Field(
        [], description="Attention maps: layers, heads, queries, keys. Each row of keys sums to 1."
    )
    row_entropies: list[list[list[Entropy]]] = Field(
        [], description="Entropy of each row of the maps, in nats, instead of the maps: layers, heads, queries."
    )
    head_entropies: list[list[Entropy]] = Field(
        [], description="Mean entropy of each head's rows, in nats, instead of both: layers, heads. Requires `length`."
    )
    length: int | None = Field(None, ge=2, le=10_000_000, description="Number of tokens. Only with `head_entropies`.")
    causal: bool = Field(True, description="Whether a token attends only to itself and earlier tokens.")
    step_of: list[Annotated[int, Field(ge=0, le=10_000_000)] | None] = Field(
        [],
        description="Step number of each query, or null for a query outside the steps, such as in the prompt. "
        "Adds means per step.",
    )
    theta: float = Field(0.5, ge=0, le=1, description="Target entropy of the regulariser, as a part of ln T.")
    gamma: float = Field(0.2, ge=0, le=1, description="Tolerance of the regulariser, as a part of ln T.")
    granularity: Granularity = Field(
        "head", description="Whether the regulariser charges the mean of a head's rows, as in the paper, or each query."
    )


class HeadOut(Strict):
    """One head."""

    layer: int
    head: int
    entropy: float = Field(description="Mean entropy of the head's rows, in nats.")
    of_uniform: float = Field(description="Entropy as a part of ln T, the ceiling in the paper.")
    of_ceiling: float = Field(description="Entropy as a part of the head's ceiling: ln(T!) / T under a causal mask.")
    bin: Bin = Field(
        description="Quarter of the largest entropy in this input. In the paper, the lowest bin is collapse and the highest "
        "is overload."
    )
    saturated: bool = Field(description=f"At least {SATURATED} of the ceiling: the head attends to all tokens alike.")
    collapsed: bool = Field(description=f"At most {COLLAPSED} of the ceiling: the head attends to one token.")
    charge: float = Field(description="The regulariser's charge.")


class LayerOut(Strict):
    """One layer."""

    layer: int
    entropy: float = Field(description="Mean entropy of the layer's heads.")
    bins: list[int] = Field(description="Number of heads in each bin, from lowest to highest.")


class StepOut(Strict):
    """The queries of one step, averaged over all heads."""

    step: int
    n_queries: int
    entropy: float
    of_ceiling: float | None = Field(description="Entropy as a part of these rows' ceiling; null if the ceiling is 0.")


class AttentionOutput(Result):
    """Entropies of attention in nats, and the value of the paper's regulariser."""

    length: int
    uniform: float = Field(description="ln T, the entropy of uniform attention to all tokens.")
    ceiling: float = Field(description="Maximum entropy of a head: ln(T!) / T under a causal mask, otherwise ln T.")
    largest: float = Field(description="Largest entropy of a head, which sets the bins.")
    bins: list[int] = Field(description="Number of heads in each bin, from lowest to highest.")
    shares: list[float] = Field(description="Share of the heads in each bin.")
    n_saturated: int
    n_collapsed: int
    penalty: float = Field(description="Value of the regulariser, which training adds to the loss times lambda.")
    heads: list[HeadOut]
    layers: list[LayerOut]
    queries: list[float] = Field(description="Mean entropy of each query over all heads; empty if rows are not known.")
    steps: list[StepOut]
