"""Input and output of ``maxent``."""

from pydantic import Field

from epf.entropy.core.information import Unit
from epf.entropy.core.schema import Count, Label, Number, Result, Strict, example
from epf.entropy.traces import TraceInput

MAX_STATES = 200


class MaxentInput(TraceInput):
    """Features of each row, with targets for their means or with multipliers; steps between states; or traces."""

    model_config = example(
        features=[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]],
        targets=[4.5],
        chains=[["low", "high", "high"], ["low", "low", "high"]],
    )

    features: list[list[Number]] = Field([], description="One row of numbers per answer or trace.")
    names: list[str] = Field([], description="Names of the features.")
    targets: list[Number | None] = Field(
        [], description="Required mean of each feature; null for a feature that is not constrained."
    )
    multipliers: list[Number] = Field(
        [],
        description="Multipliers, which replace targets: weights are exp(- multipliers . features). Each is -1 / temperature.",
    )
    prior: list[Count] = Field([], description="Prior weight of each row. Default: equal weights.")
    compare: list[Count] = Field([], description="Other weights of the rows, to compare with the ones that are computed.")
    chains: list[list[Label]] = Field([], description="State at each step, one list per trace.")
    counts: list[list[Count]] = Field(
        [], description="Number of transitions from the state of the row to that of the column, instead of chains."
    )
    smoothing: float = Field(
        0.5,
        gt=0,
        le=1e6,
        description="Pseudo-count in both directions between two states with at least one transition between them.",
    )
    drift: float | None = Field(
        None,
        ge=-1e9,
        le=1e9,
        description="Required mean change of the state in a step. Adds the least committal process with this drift. States "
        "must be numbers; for traces they are the bins.",
    )
    unit: Unit = Field("nats", description="Unit of entropies, divergences and entropy production.")
    mean: list[str] = Field(
        [],
        description="For traces: a required mean, as NAME=VALUE. Names are log_odds (of the last score), first_score, "
        "lowest_score, last_score, n_steps, correct and each judge, if all traces have them.",
    )
    temperature: float | None = Field(
        None,
        ge=1e-6,
        le=1e6,
        description="For traces: use the weights exp(log odds of the last score / temperature) instead of required means.",
    )
    bins: int = Field(
        4, ge=2, le=64, description="For traces: number of bins of equal share. The state of a step is the bin of its score."
    )


class FeatureOut(Strict):
    """One feature."""

    name: str
    before: float = Field(description="Mean under the prior.")
    mean: float
    multiplier: float = Field(description="Multiplier; 0 if the feature is not constrained.")
    temperature: float | None = Field(
        description="-1 / multiplier, positive if high values are favoured; null if the multiplier is 0."
    )


class FitOut(Strict):
    """The distribution of maximum entropy."""

    weights: list[float] = Field(description="Weight of each row.")
    features: list[FeatureOut]
    response: list[list[float]] = Field(
        description="Covariance of the features: raising multiplier k by a small e lowers mean j by e times this value."
    )
    entropy: float = Field(
        description="Entropy of the weights relative to the prior: Shannon's without a prior, otherwise minus the divergence."
    )
    effective: float = Field(description="Effective number of rows, exp of the entropy of the weights.")
    ess: float = Field(description="Effective sample size, 1 / sum of squared weights.")
    log_z: float = Field(description="Natural logarithm of the partition function.")
    free_energy: float = Field(description="-log_z, in units of temperature.")
    excess: float | None = Field(
        description="Free energy of `compare` minus that of these weights, which is the divergence; null without `compare`."
    )


class PairOut(Strict):
    """Two states with transitions between them, more from a to b than back."""

    a: Label
    b: Label
    forward: float = Field(description="Share of all steps that go from a to b, in the stationary distribution.")
    backward: float
    production: float = Field(description="Contribution of the pair to the entropy production.")


class DrivenOut(Strict):
    """The process of maximum caliber with the required drift."""

    before: float = Field(description="Mean change of the state in a step of the observed process, after smoothing.")
    drift: float
    multiplier: float = Field(description="Multiplier of the drift: steps are weighted by exp(- multiplier . change).")
    transition: list[list[float]] = Field(description="Probability of the column's state after the row's.")
    caliber: float = Field(description="Minus the divergence per step from the observed process; at most 0.")
    free_energy: float = Field(description="Free energy of the process in nats, in units of temperature.")
    response: float = Field(description="Raising the multiplier by a small e lowers the drift by e times this value.")


class ProcessOut(Strict):
    """The steps as a Markov process."""

    states: list[Label]
    n_transitions: float
    transition: list[list[float]] = Field(description="Probability of the column's state after the row's, after smoothing.")
    observed: list[float] = Field(description="Share of the steps that begin in each state.")
    stationary: list[float]
    production_observed: float = Field(
        description="Entropy production of a step from the observed distribution: how irreversible the steps are."
    )
    production: float = Field(
        description="Entropy production per step in the stationary distribution; 0 if the process looks the same backwards "
        "there, as every process does whose states form no cycle."
    )
    production_unsmoothed: float | None = Field(
        description="Entropy production of a step from the observed distribution without pseudo-counts; null if it is infinite."
    )
    smoothing: float
    n_one_way: int = Field(description="Number of pairs of states with transitions in one direction only.")
    forgotten: float = Field(
        description="Divergence of the observed from the stationary distribution that is lost in one step."
    )
    pairs: list[PairOut] = Field(description="Pairs of states by falling production.")
    driven: DrivenOut | None = Field(description="The process with the required drift; null without `drift`.")


class MaxentOutput(Result):
    """A fit, a process, or both, depending on the request."""

    unit: Unit
    fit: FitOut | None
    process: ProcessOut | None
