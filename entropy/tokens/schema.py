"""Input and output of ``tokens``."""

from typing import Annotated, Literal

from pydantic import Field

from epf.entropy.core.schema import Number, Result, Strict, example
from epf.entropy.tokens.advantages import Advantage
from epf.entropy.tokens.maths import Form, WeightMap
from epf.entropy.traces import TraceInput

LogProb = Annotated[float, Field(ge=-1e9, le=0)]
Entropy = Annotated[float, Field(ge=0, le=100)]
LogProbs = Annotated[list[LogProb], Field(min_length=1)]


class TokensInput(TraceInput):
    """Tokens in rows, one row per step or trace, with the model's probability of each; or traces."""

    model_config = example(
        logprobs=[[-0.1054, -0.6931], [-2.3026], [-3.912]],
        entropies=[[0.4, 0.7], [1.5], [2.0]],
        advantages=[1.0, -1.0, 1.0],
        form="released",
    )

    logprobs: list[LogProbs] = Field(
        [], description="Log probability of each token, in nats. Requires `entropies` or `top_logprobs`."
    )
    entropies: list[list[Entropy]] = Field(
        [], description="Entropy of the distribution from which each token was sampled, in nats."
    )
    top_logprobs: list[list[LogProbs]] = Field(
        [],
        description="Log probabilities of the most likely tokens at each position, instead of entropies, which they bound.",
    )
    vocabulary: int | None = Field(
        None, ge=1, description="Size of the vocabulary, for the upper bound of the entropy. Only with `top_logprobs`."
    )
    logits: list[Annotated[list[Annotated[list[Number], Field(min_length=2)]], Field(min_length=1)]] = Field(
        [], description="Complete distribution at each token, instead of all these. Requires `chosen`."
    )
    chosen: list[list[Annotated[int, Field(ge=0)]]] = Field([], description="Index of each token in its logits.")
    old_logprobs: list[list[LogProb]] = Field(
        [],
        description="Log probability of each token under the policy that sampled it. Default: the policy has not changed.",
    )
    advantages: list[Number] = Field(
        [], description="Advantage of each row. Default: 1, the effect of reinforcing every token."
    )
    names: list[Annotated[str, Field(max_length=200)]] = Field(
        [], description="Name of each row. For traces: numbers of the trace and of the step, both from 0, such as 3.1."
    )
    advantage: Advantage = Field(
        "reinforce",
        description="For traces: source of the advantages. `reinforce`: 1 for every token. `correct`: right against wrong "
        "answers to the same problem, as in GRPO. `scores`: the reward model's scores of this and the following steps, as in "
        "GRPO with process supervision.",
    )
    form: Form = Field(
        "theorem",
        description="Form of the entropy change. `theorem`: the paper's estimate. `released`: the formula in the authors' "
        "code. `full`: exact to first order; requires logits.",
    )
    weights: WeightMap = Field("linear", description="How a change is mapped to a weight.")
    wmin: float = Field(0.8, gt=0, le=1, description="Weight at the largest change.")
    wmax: float = Field(1.2, ge=1, le=100, description="Weight at the smallest change. Only with linear weights.")
    clip_low: float = Field(0.2, ge=0, le=1, description="The gradient is 0 below the ratio 1 - clip_low, for A < 0.")
    clip_high: float = Field(0.28, ge=0, le=1e6, description="The gradient is 0 above the ratio 1 + clip_high, for A > 0.")


class RowOut(Strict):
    """One row: all tokens of a step."""

    name: str
    advantage: float
    change: float = Field(description="Sum over the row's tokens of the entropy change per unit of learning rate.")
    mean_weight: float
    changes: list[float] = Field(description="Entropy change of each token; negative if it collapses the policy.")
    weights: list[float] = Field(description="STEER's weight of each token.")
    clipped: list[int] = Field(description="Positions in the row, from 0, of tokens whose gradient is stopped by the clipping.")
    other_changes: list[float] | None = Field(
        description="Changes at the largest entropy that `top_logprobs` allow, where `changes` are at the smallest; otherwise "
        "null."
    )


class QuadrantOut(Strict):
    """Tokens with the same sign of the advantage and the same effect."""

    pushed: Literal["up", "down"] = Field(description="Sign of the advantage.")
    effect: Literal["opens", "collapses"]
    n_tokens: int
    change: float = Field(description="Sum of the tokens' changes.")


class ForkOut(Strict):
    """One of the tokens with the largest change."""

    name: str = Field(description="Name of the token's row.")
    position: int = Field(description="Position in the row, from 0.")
    logprob: float
    entropy: float
    change: float
    weight: float


class TokensOutput(Result):
    """Which tokens open or collapse the policy, and STEER's weights. Changes are in nats per unit of learning rate."""

    form: Form
    n_tokens: int
    n_clipped: int
    n_undecided: int = Field(description="Number of tokens whose change may have either sign within the bounds.")
    change: float = Field(description="Sum over all tokens.")
    mean_size: float = Field(description="Mean absolute change of a token.")
    half_in: int = Field(description="Smallest number of tokens that make up half of the sum of absolute changes.")
    quadrants: list[QuadrantOut] = Field(description="Tokens by sign and effect; tokens without a change belong to none.")
    forks: list[ForkOut] = Field(description="The tokens with the largest changes.")
    rows: list[RowOut]
