"""Options of one search: the only declaration of their names, types, limits, units and descriptions.

The Python API, the HTTP schemas, the server's search defaults and the command line are all derived from
:class:`SearchOptions`. Which options a method reads is declared by the method, see :mod:`epf.search.methods.method`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field, StringConstraints, ValidationError
from pydantic.config import JsonDict

from epf.core.errors import InvalidRequest
from epf.core.generator import MAX_SYSTEM_PROMPT_CHARS, MAX_TOP_LOG_PROBS
from epf.search.smc.annealing import Schedule
from epf.search.smc.filter import Weighting
from epf.search.smc.weights import Scheme

MethodName = Literal[
    "epf",
    "pf",
    "pf_once",
    "epf_published",
    "epf_pool",
    "particle_gibbs",
    "ipf",
    "beam",
    "dvts",
    "best_of_n",
    "weighted_best_of_n",
    "adaptive",
    "self_consistency",
    "sample",
]
LookAhead = Literal["none", "reuse", "redraw"]
AnswerSelection = Literal["weighted_vote", "probability_vote", "argmax", "sample", "majority"]
Aggregation = Literal["last", "min", "product", "mean"]

MAX_PARTICLES = 256
MAX_STEPS = 1000
MAX_STOPS = 4
TOKENS_PER_STEP, DERIVED_STEPS = 32, (40, 200)
STEPS_PER_CONTEXT, DERIVED_STEP_TOKENS = 4, (256, 1024)
"""Defaults of ``max_steps`` and ``max_tokens_per_step``: the context divided by the first number, within the bounds."""

MAX_SEED = 2**63 - 1
RANDOM_SEED = -1
"""Draws a seed, as null does: clients of llama.cpp and others send it."""

Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(gt=0, le=1)]
MAX_SLOPE = 10
Slope = Annotated[float, Field(ge=0, le=MAX_SLOPE)]
Stop = Annotated[str, StringConstraints(min_length=1, max_length=256)]


def _research(default: Any, description: str, **limits: Any) -> Any:
    """Declare an option for experiments, which help and documentation list apart from the others."""
    marked: JsonDict = {"x-research": True, "description": f"Research option. {description}"}
    return Field(default, description=description, json_schema_extra=marked, **limits)


class SearchOptions(BaseModel):
    """How to search. Every option has a default; an unknown option is refused.

    The constructor raises ``InvalidRequest`` for an option that is unknown, out of range or of another type. Where the model is
    part of a larger one, pydantic reports such an option in its own ``ValidationError``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    method: MethodName = Field("epf", description="Search method.")
    n_particles: int = Field(8, ge=1, le=MAX_PARTICLES, description="Number of partial solutions kept in parallel.")
    max_steps: int | None = Field(
        None,
        ge=1,
        le=MAX_STEPS,
        description="Maximum number of steps of one particle. A particle that is unfinished by then has no answer. Null allows "
        "one step for every 32 tokens of the generator's context, but at least 40 and at most 200.",
    )
    max_tokens_per_step: int | None = Field(
        None,
        ge=1,
        le=8192,
        description="Maximum length of one step in tokens; a step cut there continues in the next one. Null allows a quarter "
        "of the generator's context, but at least 256 and at most 1024 tokens.",
    )
    straggler_quantile: float | None = _research(
        None,
        "Cut a step at this quantile of the lengths in tokens of the complete steps so far, so that one slow particle does not "
        "hold up the round; the step continues in the next one. Null cuts at max_tokens_per_step only.",
        gt=0,
        le=1,
    )
    temperature: Temperature = Field(0.8, description="Sampling temperature of the language model; 0 is greedy.")
    top_p: TopP = Field(1.0, description="Probability mass of nucleus sampling; 1 samples from all tokens.")
    max_tokens_per_particle: int | None = Field(
        None,
        ge=1,
        description="Maximum length of one particle in tokens. A particle that is unfinished by then has no answer. Null sets "
        "no limit apart from the model's context.",
    )
    system_prompt: str | None = Field(
        None,
        max_length=MAX_SYSTEM_PROMPT_CHARS,
        description="System prompt for the generator, if the conversation has no system message. Null takes the one in the "
        "generator's settings; an empty text sends the problem as it is, without system prompt and examples.",
    )
    separator: str = Field(
        "\n\n",
        max_length=16,
        description="Text that ends a step. Without one (an empty text) every step has max_tokens_per_step tokens.",
    )
    stop: Annotated[tuple[Stop, ...], Field(max_length=MAX_STOPS, strict=False), FailFast()] = Field(
        (), description="Texts that end a particle; its solution ends before the first of them."
    )
    annealing: Schedule = _research("ess", "Schedule of the resampling temperature; none is plain particle filtering.")
    ess_threshold: float = _research(
        0.5, "Anneal below this effective sample size, as a fraction of the number of particles.", ge=0, le=1
    )
    early_phase: float = _research(0.5, "Anneal only while step / horizon is below this fraction.", ge=0, le=1)
    horizon: int = _research(10, "Expected number of steps of a solution, the T of the schedules.", ge=1, le=MAX_STEPS)
    lookahead: LookAhead = _research(
        "none",
        "Score a state by one drawn successor: reuse keeps it for the first copy of the particle, redraw never does.",
    )
    lookahead_weight: float = _research(0.5, "Share of the successor's log odds in the resampling weight.", ge=0, le=1)
    resampling: Scheme = _research("systematic", "Scheme that draws the ancestors.")
    weighting: Weighting = _research(
        "current",
        "current weighs by the newest score at every step; incremental accumulates weights and resamples when the effective "
        "sample size is low.",
    )
    odds_power: float = _research(
        0.5, "Power of the odds of a score by which epf and pf_once weigh particles; 1 counts every score in full.", ge=0, le=10
    )
    slopes: Annotated[tuple[Slope, ...], Field(max_length=MAX_STEPS, strict=False), FailFast()] = _research(
        (),
        "Factors by which epf and pf_once multiply the log odds of a score when they weigh particles, one for each depth, in "
        "addition to odds_power: the first for the score after the first step, the last for all deeper ones. Empty is 1 "
        "everywhere. `epf tune` learns them.",
    )
    score_below_logprob: float | None = _research(
        None,
        "epf scores a step only if the log probability of one of its tokens is below this, in nats and at temperature 1. A "
        "step of which the generator is surer keeps the score of the step before; the first and the last step of a solution "
        "are always scored. It saves calls of the reward model where being sure is a sign of being right. Null scores every "
        "step.",
        le=0,
        allow_inf_nan=False,
    )
    resample_finished: bool = _research(True, "Finished particles take part in resampling with their final weight.")
    answer_selection: AnswerSelection | None = Field(
        None,
        description="How to select the answer from the finished particles. Null selects as the method does: epf, which draws "
        "at every step, and pf_once add up the probabilities of equal answers, other methods their weights.",
    )
    seed: Annotated[int | None, AfterValidator(lambda seed: None if seed == RANDOM_SEED else seed)] = Field(
        None,
        ge=RANDOM_SEED,
        le=MAX_SEED,
        description="Seed of all random numbers. Null or -1 draws one, which the result reports.",
    )
    max_seconds: float | None = Field(
        None,
        gt=0,
        description="Maximum duration of the search in seconds. Then the search returns its best answer so far, and "
        "stop_reason names the limit.",
    )
    max_total_tokens: int | None = Field(
        None,
        ge=1,
        description="Maximum number of tokens that all particles generate together. Then the search returns its best answer so "
        "far, and stop_reason names the limit. Steps that run ahead and that nobody takes come on top; run_ahead false "
        "avoids them.",
    )
    run_ahead: bool = Field(
        True,
        description="Let particles sample their next step while they wait for scores and for the draw, where the generator can "
        "cancel it at once. It changes no result and saves time; the tokens of steps that nobody takes count as discarded.",
    )
    aggregation: Aggregation = Field(
        "last", description="How best-of-n, beam search and DVTS combine the scores of all steps into one; last is the newest."
    )
    beam_width: int = Field(
        4, ge=1, le=MAX_PARTICLES, description="Maximum number of continuations of one kept prefix in beam search and DVTS."
    )
    iterations: int = Field(
        2,
        ge=1,
        le=MAX_PARTICLES,
        description="Number of particle_gibbs sweeps that share the particles; at most one sweep per particle.",
    )
    entropy_zscore: bool = _research(
        True, "ipf weighs by the z-scores of a round's entropies; false weighs by the entropies themselves."
    )
    pool_fraction: float = _research(
        0.2, "Share of the pool of earlier prefixes when epf_pool draws after a round that pruned much.", ge=0, le=1
    )
    waves: int = Field(
        1,
        ge=1,
        le=MAX_PARTICLES,
        description="Number of groups in which epf searches its particles, one group after the other, at most one group per "
        "particle. After each group the search stops if its confidence in the answer reaches certainty. 1 searches all "
        "particles together.",
    )
    certainty: float = Field(
        0.95,
        ge=0,
        le=1,
        description="adaptive stops at this probability that the leading answer is the most frequent one, and epf in waves at "
        "this confidence in its answer; 1 draws all solutions.",
    )

    logprobs: bool = Field(
        False,
        description="Include all particles in the result, with the tokens of each step and their log probabilities in nats. "
        "They are those of the model itself, at temperature 1 and before top_p, as far as the generator's server computes them "
        "so (see docs/servers.md).",
    )
    top_logprobs: int = Field(
        0,
        ge=0,
        le=MAX_TOP_LOG_PROBS,
        description="Number of most likely tokens to list at the position of each token, with their log probabilities, whether "
        "or not the sampled token is one of them. Requires logprobs.",
    )

    if not TYPE_CHECKING:  # type checkers see the constructor that pydantic declares

        def __init__(self, /, **options: Any) -> None:
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise _refusal(type(self), options, error) from None

        __init__.__pydantic_base_init__ = True  # else pydantic would call it for a model inside another one as well

    def chosen(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {name: getattr(self, name) for name in SearchOptions.model_fields if name in self.model_fields_set}


class BoundedOptions(SearchOptions):
    """Options in which nothing that bounds a search is left open; made by :func:`bounded`."""

    max_steps: int
    max_tokens_per_step: int


def bounded(options: SearchOptions, context_length: int) -> BoundedOptions:
    """``options`` with the maxima that the caller left open, which fit a generator with this context.

    Models write steps of 30 to 60 tokens on average, and now and then a page of code or a long paragraph, which should not be
    cut. What is too long for the context ends there in any case.
    """
    values = {name: getattr(options, name) for name in SearchOptions.model_fields}
    if options.max_steps is None:
        values["max_steps"] = _clipped(context_length // TOKENS_PER_STEP, DERIVED_STEPS)
    if options.max_tokens_per_step is None:
        values["max_tokens_per_step"] = _clipped(context_length // STEPS_PER_CONTEXT, DERIVED_STEP_TOKENS)
    return BoundedOptions.model_construct(options.model_fields_set, **values)


def _clipped(value: int, bounds: tuple[int, int]) -> int:
    return min(max(value, bounds[0]), bounds[1])


RESEARCH_OPTIONS: Final = tuple(name for name, field in SearchOptions.model_fields.items() if field.json_schema_extra)
"""Options for experiments."""


def _refusal(model: type[BaseModel], options: Mapping[str, Any], error: ValidationError) -> InvalidRequest:
    """The first error of ``error`` as a message that names the option, its limits and what was given."""
    name = str(error.errors()[0]["loc"][0])
    if name not in model.model_fields:
        known = ", ".join(model.model_fields)
        return InvalidRequest(f"{name!r:.64} is not an option of a search: leave it out. The options are {known}", param=name)
    rule = _rule(model.model_json_schema()["properties"][name])
    return InvalidRequest(f"{name} must be {rule}, got {options.get(name)!r:.200}", param=name)


def _rule(schema: Mapping[str, Any]) -> str:
    """The values that a JSON schema allows, in words."""
    if "anyOf" in schema:
        return _rule(schema["anyOf"][0])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    match schema["type"]:
        case "integer":
            return "a whole number" + _bounds(schema)
        case "number":
            return "a number" + _bounds(schema)
        case "string":
            return f"a text of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
        case "array":
            kind = "texts" if schema["items"]["type"] == "string" else "numbers"
            return f"at most {schema['maxItems']} {kind}, each {_rule(schema['items'])}"
    return "true or false"


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most"}
    bounds = [f"{word} {schema[bound]}" for bound, word in words.items() if bound in schema]
    return f" {' and '.join(bounds)}" if bounds else ""
