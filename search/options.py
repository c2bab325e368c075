"""What a caller may choose about one search. Frozen; validated where it is made."""

from dataclasses import dataclass
from typing import Literal

from epf.search.validation import check_config

Annealing = Literal["ess", "entropy", "base", "cess", "none"]
Resampling = Literal["systematic", "stratified", "residual", "multinomial"]
LookAhead = Literal["none", "reuse", "redraw"]
Weighting = Literal["current", "incremental"]
AnswerSelection = Literal["weighted_vote", "probability_vote", "argmax", "sample", "majority"]
Aggregation = Literal["last", "min", "product", "mean"]


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """Options of one search.

    Attributes:
        n_particles: partial solutions kept side by side.
        max_steps: most steps of one particle; a particle still unfinished then is never taken for a solution.
        max_tokens_per_step: a step cut there goes on in the next one.
        straggler_quantile: cut a step at this quantile of the token counts of the particles' whole steps so far, so that one
            slow particle does not hold up the round; it goes on in the next. None cuts at ``max_tokens_per_step`` only.
        temperature, top_p: sampling of the language model.
        max_tokens_per_particle: most tokens of one particle; one that is unfinished then is never taken for a solution. None is
            no limit but the model's context.
        separator: text that ends a step; empty for none, then steps are ``max_tokens_per_step`` long.
        stop: texts that end a particle, as the model's own end does; its solution ends before the first of them.
        annealing: schedule of the resampling temperature; ``none`` is plain particle filtering.
        ess_threshold: anneal below this effective sample size, as a fraction of n.
        early_phase: anneal only while t / horizon is below this fraction.
        horizon: expected number of steps, the T of the schedules.
        lookahead: judge a state by one drawn successor: ``reuse`` keeps it for the first copy, ``redraw`` never does.
        lookahead_weight: share of the successor's logit in the guide, in [0, 1].
        resampling: scheme that draws ancestors.
        weighting: ``current`` weighs by the newest score at every step, ``incremental`` accumulates and resamples when ESS is
            low.
        odds_power: particles of ePF are weighed by the odds of their score to this power; 1 counts each judgement in full.
        resample_finished: finished particles take part in resampling with their final weight.
        answer_selection: how the answer is chosen from the finished particles; None is what the method does.
        seed: of everything random; None draws one, which the result reports.
        max_seconds: wall-clock limit; the best answer so far is returned, marked. None is no limit.
        max_total_tokens: most generated tokens of all particles together; likewise. None is no limit.
        aggregation: how methods that do not filter make one score of the scores of all steps; ``last`` is the newest step's.
        beam_width: most continuations of one kept prefix in a tree search.
        iterations: sweeps of particle Gibbs that share the particles; never more than there are particles.
        entropy_zscore: intrinsic particle filtering weighs by z-scores of a round's entropies; else by the entropies, which has
            a target that is known.
        pool_fraction: share of the pool of earlier prefixes in the draw after a round that pruned much, in ePF with a pool.
        certainty: adaptive sampling stops at this probability that the leading answer is the most frequent one; 1 draws all.
    """

    n_particles: int = 8
    max_steps: int = 40
    max_tokens_per_step: int = 256
    max_tokens_per_particle: int | None = None
    straggler_quantile: float | None = None
    temperature: float = 0.8
    top_p: float = 1.0
    separator: str = "\n\n"
    stop: tuple[str, ...] = ()
    annealing: Annealing = "ess"
    ess_threshold: float = 0.5
    early_phase: float = 0.5
    horizon: int = 10
    lookahead: LookAhead = "none"
    lookahead_weight: float = 0.5
    resampling: Resampling = "systematic"
    weighting: Weighting = "current"
    odds_power: float = 0.5
    resample_finished: bool = True
    answer_selection: AnswerSelection | None = None
    seed: int | None = None
    max_seconds: float | None = None
    max_total_tokens: int | None = None
    aggregation: Aggregation = "last"
    beam_width: int = 4
    iterations: int = 2
    entropy_zscore: bool = True
    pool_fraction: float = 0.2
    certainty: float = 0.95

    def __post_init__(self) -> None:
        """Raise ``InvalidRequest`` for an option that is out of its range."""
        check_config(self)
