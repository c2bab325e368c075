"""What the search routes accept and answer. Nothing here loads a model, so the command line prints the same shape."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from epf.core.generator import Finish
from epf.search.methods import METHODS
from epf.search.options import Aggregation, Annealing, AnswerSelection, LookAhead, Resampling, SearchConfig, Weighting
from epf.search.result import AnswerShare, Particle, SearchResult, StepRecord, StopReason, Usage
from epf.search.validation import (
    MAX_ITERATIONS,
    MAX_ODDS_POWER,
    MAX_PARTICLES,
    MAX_SEED,
    MAX_SEPARATOR_CHARS,
    MAX_STEPS,
    MAX_STOP_CHARS,
    MAX_STOPS,
    MAX_TEMPERATURE,
    MAX_TOKENS_PER_STEP,
)

DEFAULTS = SearchConfig()

Stop = Annotated[str, StringConstraints(min_length=1, max_length=MAX_STOP_CHARS)]


def _known_method(name: str) -> str:
    if name not in METHODS:
        raise PydanticCustomError("literal_error", "must be one of {expected}", {"expected": ", ".join(METHODS)})
    return name


class SearchOptions(BaseModel):
    """How to search. Everything has a default, which the server's settings may change; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    method: Annotated[str, AfterValidator(_known_method)] = Field(
        "epf", description="Search method.", json_schema_extra={"enum": list(METHODS)}
    )
    n_particles: int = Field(DEFAULTS.n_particles, ge=1, le=MAX_PARTICLES, description="Partial solutions kept side by side.")
    max_steps: int = Field(DEFAULTS.max_steps, ge=1, le=MAX_STEPS, description="Most steps of one particle.")
    max_tokens_per_step: int = Field(
        DEFAULTS.max_tokens_per_step,
        ge=1,
        le=MAX_TOKENS_PER_STEP,
        description="Most tokens of one step; one cut there goes on in the next.",
    )
    straggler_quantile: float | None = Field(
        DEFAULTS.straggler_quantile,
        gt=0,
        le=1,
        description="Cut a step at this quantile of the lengths of whole steps so far; null cuts at max_tokens_per_step only.",
    )
    temperature: float = Field(
        DEFAULTS.temperature, ge=0, le=MAX_TEMPERATURE, description="Of the language model; 0 is greedy."
    )
    top_p: float = Field(DEFAULTS.top_p, gt=0, le=1, description="Nucleus mass; 1 samples from everything.")
    max_tokens_per_particle: int | None = Field(
        DEFAULTS.max_tokens_per_particle, ge=1, description="Most tokens of one particle; unfinished then, it has no answer."
    )
    separator: str = Field(
        DEFAULTS.separator,
        max_length=MAX_SEPARATOR_CHARS,
        description="Text that ends a step; empty for none, then every step is max_tokens_per_step long.",
    )
    stop: Annotated[tuple[Stop, ...], Field(max_length=MAX_STOPS, strict=False)] = Field(
        DEFAULTS.stop, description="Texts that end a particle; its solution ends before the first of them."
    )
    annealing: Annealing = Field(
        DEFAULTS.annealing, description="Schedule of the resampling temperature; none is plain particle filtering."
    )
    ess_threshold: float = Field(
        DEFAULTS.ess_threshold, ge=0, le=1, description="Anneal below this effective sample size, as a fraction of n."
    )
    early_phase: float = Field(
        DEFAULTS.early_phase, ge=0, le=1, description="Anneal only while step / horizon is below this fraction."
    )
    horizon: int = Field(DEFAULTS.horizon, ge=1, le=MAX_STEPS, description="Expected number of steps, the T of the schedules.")
    lookahead: LookAhead = Field(
        DEFAULTS.lookahead,
        description="Judge a state by one drawn successor: reuse keeps it for the first copy, redraw never does.",
    )
    lookahead_weight: float = Field(
        DEFAULTS.lookahead_weight, ge=0, le=1, description="Share of the successor's logit in the resampling weight."
    )
    resampling: Resampling = Field(DEFAULTS.resampling, description="Scheme that draws ancestors.")
    weighting: Weighting = Field(
        DEFAULTS.weighting,
        description="current weighs by the newest score at every step; incremental accumulates and resamples when ESS is low.",
    )
    odds_power: float = Field(
        DEFAULTS.odds_power,
        ge=0,
        le=MAX_ODDS_POWER,
        description="Particles of ePF are weighed by the odds of their score to this power; 1 counts each judgement in full.",
    )
    resample_finished: bool = Field(
        DEFAULTS.resample_finished, description="Finished particles take part in resampling with their final weight."
    )
    answer_selection: AnswerSelection | None = Field(
        DEFAULTS.answer_selection,
        description="How the answer is chosen from the finished particles. Without one as the method does: epf, which draws at "
        "every step, adds up the probabilities of equal answers, others their weights.",
    )
    seed: int | None = Field(
        DEFAULTS.seed, ge=0, le=MAX_SEED, description="Of everything random; without one, one is drawn and reported."
    )
    max_seconds: float | None = Field(
        DEFAULTS.max_seconds, gt=0, description="Wall-clock limit; then the best answer so far is returned, marked."
    )
    max_total_tokens: int | None = Field(
        DEFAULTS.max_total_tokens, ge=1, description="Most generated tokens of all particles together; likewise."
    )
    aggregation: Aggregation = Field(
        DEFAULTS.aggregation, description="How best-of-n, beam search and DVTS make one score of the scores of all steps."
    )
    beam_width: int = Field(
        DEFAULTS.beam_width,
        ge=1,
        le=MAX_PARTICLES,
        description="Most continuations of one kept prefix in beam search and DVTS.",
    )

    iterations: int = Field(
        DEFAULTS.iterations,
        ge=1,
        le=MAX_ITERATIONS,
        description="Sweeps of particle_gibbs that share the particles; never more than there are particles.",
    )
    entropy_zscore: bool = Field(
        DEFAULTS.entropy_zscore, description="ipf weighs by z-scores of a round's entropies; false by the entropies themselves."
    )
    pool_fraction: float = Field(
        DEFAULTS.pool_fraction,
        ge=0,
        le=1,
        description="epf_pool: share of the pool of earlier prefixes in the draw after a round that pruned much.",
    )
    certainty: float = Field(
        DEFAULTS.certainty,
        ge=0,
        le=1,
        description="adaptive stops at this probability that the leading answer is the most frequent one; 1 draws all.",
    )

    def chosen(self) -> dict[str, Any]:
        """The options that were given, by name, ``method`` among them."""
        return {name: getattr(self, name) for name in self.model_fields_set & SearchOptions.model_fields.keys()}


Written = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
"""A text that is not blank."""

Problem = Annotated[
    Written,
    Field(
        description="The problem, in plain words.",
        examples=["There are 45 birds on a wire. 17 fly away. How many are left?"],
    ),
]


class SolveRequest(SearchOptions):
    """A problem and how to search."""

    problem: Problem
    stream: bool = Field(False, description="Answer with server-sent events, one for each thing that happens.")
    return_particles: bool = Field(False, description="Answer with every particle: its steps, scores and lineage.")


class ScoreRequest(BaseModel):
    """A problem and the steps of a solution, to be judged."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    problem: Problem
    steps: list[Written] = Field(
        min_length=1,
        description="Steps of the solution in order, as a search splits them: without separators.",
        examples=[["45 - 17 = 28.", "The answer is \\boxed{28}."]],
    )


class StepOut(BaseModel):
    """One step of a particle."""

    text: str
    finish: Finish
    n_tokens: int


class ParticleOut(BaseModel):
    """One partial or whole solution. ``log_weight`` is null for a dead particle."""

    steps: list[StepOut]
    scores: list[float]
    lineage: list[int]
    finished: bool
    answer: str | None
    log_weight: float | None

    @classmethod
    def of(cls, particle: Particle) -> Self:
        """Everything of a particle but its token ids."""
        return cls(
            steps=[StepOut(text=step.text, finish=step.finish, n_tokens=len(step.token_ids)) for step in particle.steps],
            scores=list(particle.scores),
            lineage=list(particle.lineage),
            finished=particle.finished,
            answer=particle.answer,
            log_weight=particle.log_weight if particle.log_weight > float("-inf") else None,
        )


class SolveResult(BaseModel):
    """The answer and how it came about. ``particles`` is there only when asked for."""

    answer: str | None = Field(description="Null if no finished particle has an answer.")
    confidence: float = Field(description="Share of the weight behind the answer, in [0, 1].")
    solution: str = Field(description="Full text of the best particle with that answer.")
    distribution: list[AnswerShare] = Field(description="All answers, most probable first.")
    answer_entropy: float = Field(description="Of the distribution, in nats.")
    stop_reason: StopReason = Field(description="finished, or the limit that cut the search short.")
    method: str
    seed: int = Field(description="The same seed gives the same answer on the embedded models.")
    usage: Usage
    steps: list[StepRecord] = Field(description="One record per resampling round.")
    particles: list[ParticleOut] = Field(default=[], description="Only with return_particles.")

    @classmethod
    def of(cls, result: SearchResult, *, particles: bool = False, **more: Any) -> Self:
        """Dump with ``exclude_unset=True``, which leaves ``particles`` out unless they were asked for."""
        if particles:
            more["particles"] = [ParticleOut.of(particle) for particle in result.particles]
        return cls(
            answer=result.answer,
            confidence=result.confidence,
            solution=result.solution,
            distribution=list(result.distribution),
            answer_entropy=result.answer_entropy,
            stop_reason=result.stop_reason,
            method=result.method,
            seed=result.seed,
            usage=result.usage,
            steps=list(result.steps),
            **more,
        )


class SolveResponse(SolveResult):
    """The answer, and the id of the request that asked for it."""

    id: str = Field(description="Of the request, also in the x-request-id header; DELETE /solve/{id} cancels by it.")


class ScoreResponse(BaseModel):
    """What the reward model thinks of each step."""

    id: str = Field(description="Of the request, also in the x-request-id header; DELETE /solve/{id} cancels by it.")
    model: str = Field(description="The reward model.")
    scores: list[float] = Field(description="Probability after each step that all steps so far are right, in [0, 1].")
    prm_tokens: int = Field(description="Tokens that the reward model computed; cached ones do not count.")


class CancelResponse(BaseModel):
    """What was cancelled."""

    id: str
    cancelled: int = Field(description="How many requests with this id were cancelled.")


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(BaseModel):
    """The server takes work, with these models."""

    status: Literal["HEALTHY"] = "HEALTHY"
    version: str
    models: dict[str, str] = Field(description="Name of each model, by what it is for.")


class ErrorDetail(BaseModel):
    """What went wrong, in the form that clients of the OpenAI API read."""

    message: str
    type: str
    param: str | None = Field(description="The field at fault, where there is one.")
    code: str | None


class ErrorBody(BaseModel):
    """Body of every error."""

    error: ErrorDetail
