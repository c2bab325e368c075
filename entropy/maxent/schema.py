"""Input and output of ``maxent``."""

from typing import Annotated

from pydantic import Field

from epf.entropy.core.information import Unit
from epf.entropy.core.schema import Label, Number, Result, Strict, example
from epf.entropy.traces import TraceInput

MAX_STATES = 200

Count = Annotated[float, Field(ge=0, le=1e12)]


class MaxentInput(TraceInput):
    """Features of each row, with targets of their means or with multipliers; steps between states; or traces."""

    model_config = example(
        features=[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]],
        targets=[4.5],
        chains=[["low", "high", "high"], ["low", "low", "high"]],
    )

    features: list[list[Number]] = Field([], description="A row for each answer or trace, with what is known of it in numbers.")
    names: list[str] = Field([], description="Of the features.")
    targets: list[Number | None] = Field(
        [], description="What the mean of each feature must be; null for one that is not constrained."
    )
    multipliers: list[Number] = Field(
        [], description="In place of targets: weights are exp(- multipliers . features), as a resampling's at -1 / temperature."
    )
    prior: list[Count] = Field([], description="Weight of each row before anything is known; equal if left out.")
    compare: list[Count] = Field([], description="Other weights of the rows, to be told how far they are from these.")
    chains: list[list[Label]] = Field([], description="State at each step, one list for each trace.")
    counts: list[list[Count]] = Field([], description="In place of chains: transitions from the state of the row to each one.")
    smoothing: float = Field(
        0.5, gt=0, le=1e6, description="Pseudo-count of both directions between states of which one was seen."
    )
    drift: float | None = Field(
        None,
        ge=-1e9,
        le=1e9,
        description="Mean change of the state in a step that must hold: the least committal process that has it is told. "
        "States must be numbers; of traces they are the bins.",
    )
    unit: Unit = Field("nats", description="Of entropies, divergences and entropy production.")
    mean: list[str] = Field(
        [],
        description="Of traces: a mean that must hold, as NAME=VALUE. There are log_odds (of the last score), first_score, "
        "lowest_score, last_score, n_steps, correct and each name of judges, where all traces have them.",
    )
    temperature: float | None = Field(
        None,
        ge=1e-6,
        le=1e6,
        description="Of traces: in place of a mean, weights exp(log odds of the last score / temperature).",
    )
    bins: int = Field(4, ge=2, le=64, description="Of traces: a step's state is the bin of its score; bins have equal shares.")


class FeatureOut(Strict):
    """One feature."""

    name: str
    before: float = Field(description="Mean by the prior.")
    mean: float
    multiplier: float = Field(description="0 where it is not constrained.")
    temperature: float | None = Field(
        description="-1 / multiplier: positive if high values are favoured; null at multiplier 0."
    )


class FitOut(Strict):
    """The law of maximum entropy."""

    weights: list[float] = Field(description="Of each row.")
    features: list[FeatureOut]
    response: list[list[float]] = Field(
        description="Covariance of the features: raising multiplier k by a little e lowers mean j by e times this."
    )
    entropy: float = Field(description="Relative to the prior: of the weights if there is none, else minus their divergence.")
    effective: float = Field(description="Effective number of rows, exp of the weights' entropy.")
    ess: float = Field(description="Effective sample size, 1 / sum of squared weights.")
    log_z: float = Field(description="Logarithm of the partition function, natural.")
    free_energy: float = Field(description="-log_z, in units of temperature.")
    excess: float | None = Field(description="Free energy of the weights to compare above that of these: their divergence.")


class PairOut(Strict):
    """Two states with steps between them, more from a to b than back."""

    a: Label
    b: Label
    forward: float = Field(description="Part of all steps that go from a to b, in the stationary law.")
    backward: float
    production: float = Field(description="What the pair adds to the entropy production.")


class DrivenOut(Strict):
    """The process of largest caliber whose state changes by so much a step."""

    before: float = Field(description="Mean change of the state in a step of the process as it was observed, smoothed.")
    drift: float
    multiplier: float = Field(description="Steps are weighted by exp(- multiplier . change).")
    transition: list[list[float]] = Field(description="Probability of the column's state after the row's.")
    caliber: float = Field(description="Minus what a step of it adds to the observed process: their divergence; at most 0.")
    free_energy: float = Field(description="Of the process, natural, in units of temperature.")
    response: float = Field(description="Raising the multiplier by a little e lowers the drift by e times this.")


class ProcessOut(Strict):
    """The process of steps as a Markov chain."""

    states: list[Label]
    n_transitions: float
    transition: list[list[float]] = Field(description="Probability of the column's state after the row's, smoothed.")
    observed: list[float] = Field(description="How often a step begins in each state.")
    stationary: list[float]
    production: float = Field(description="Entropy production a step in the stationary law; 0: forwards looks like backwards.")
    production_observed: float = Field(description="The same of a step from the observed law.")
    production_unsmoothed: float | None = Field(description="That without pseudo-counts; null where it is infinite.")
    smoothing: float
    n_one_way: int = Field(description="Pairs of states that were seen in one direction only.")
    forgotten: float = Field(description="So much of what tells the observed law from the stationary one a step loses.")
    pairs: list[PairOut] = Field(description="By falling production.")
    driven: DrivenOut | None = Field(description="With the drift that was asked for; null if none was.")


class MaxentOutput(Result):
    """What was asked for: a fit, a process, or both."""

    unit: Unit
    fit: FitOut | None
    process: ProcessOut | None
