"""Input and output of ``features``."""

from typing import Literal

from pydantic import Field

from epf.entropy.core.schema import Label, Number, Result, Row, Strict, example
from epf.entropy.traces import TraceInput


class FeaturesInput(TraceInput):
    """Activations or labels of samples, one row or label each, optionally in groups; or traces."""

    model_config = example(
        activations=[[1.0, 0.0, 2.0, 0.0], [3.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]], groups=["right", "right", "wrong"]
    )

    activations: list[Row] = Field(
        [], description="Codes of a sparse autoencoder, or hidden states, one row per sample; see `kind`."
    )
    labels: list[Label] = Field(
        [], description="The single feature of each sample, such as its answer, instead of activations."
    )
    groups: list[Label] = Field(
        [],
        description="Group of each sample, such as right or wrong, or the step number. Groups are counted separately.",
    )
    kind: Literal["codes", "hidden_states"] = Field(
        "codes",
        description="Kind of activations. `hidden_states` are encoded first: by `encoder` if given, otherwise by a sparse "
        "autoencoder that is fitted to them.",
    )
    encoder: list[Row] = Field([], description="Weights of the encoder, one row per dimension of a hidden state.")
    encoder_bias: list[Number] = Field([], description="Bias of the encoder, one number per feature. Default: 0.")
    neurons: int | None = Field(
        None, ge=1, description="Number of neurons N in psi. Default: the number of dimensions of hidden states."
    )
    expansion: int = Field(4, ge=1, le=64, description="Features per dimension of the autoencoder that is fitted.")
    sparsity: float = Field(
        0.2, ge=0, le=100, description="Weight of activations in the autoencoder's loss, for states of mean squared length 1."
    )
    epochs: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Maximum number of passes over the states. Default: 800, or fewer for large input. Fitting stops earlier "
        "if the loss no longer falls.",
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Random seed of the autoencoder and of the resampling.")
    resamples: int = Field(400, ge=0, le=10_000, description="Number of resamples for the intervals; 0 for no intervals.")
    of: Literal["answers", "particles"] = Field(
        "answers",
        description="For traces: whether to count each problem's distinct answers, or its particles by their weights.",
    )


class GroupOut(Strict):
    """Samples that are counted together."""

    group: Label
    n_samples: int
    effective: float = Field(description="Effective number of features; 0 if none is active.")
    low: float | None = Field(description="Lower end of the 95 % interval over such samples; null for fewer than two samples.")
    high: float | None
    active: int = Field(description="Number of features with any activation.")
    order_2: float = Field(description="1 / sum of squared shares; for particles, the effective sample size.")
    psi: float | None = Field(description="Effective features per neuron; above 1, neurons hold features in superposition.")


class FeatureOut(Strict):
    """A feature and its share of all activation."""

    feature: Label
    share: float


class FitOut(Strict):
    """The autoencoder that was fitted."""

    width: int
    explained: float = Field(description="Part of the squared length of held-out states that the autoencoder reconstructs.")
    per_state: float = Field(description="Mean number of active features per state.")
    epochs: int


class FeaturesOutput(Result):
    """The effective number of features, for all samples and for each group."""

    n_features: int = Field(description="Total number of features.")
    neurons: int | None
    whole: GroupOut | None = Field(
        description="All samples; null for traces of several problems, because these share no features."
    )
    groups: list[GroupOut]
    mean: float | None = Field(description="Mean of the groups' effective numbers; null without groups.")
    top: list[FeatureOut] = Field(description="The largest shares over all samples.")
    fitted: FitOut | None
