"""From the options of a request to a search: fills in the defaults and checks the limits before anything is generated."""

from collections.abc import Mapping
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.search.runner import SearchRequest, check_scored, resolve_request, with_defaults
from epf.service.settings import Settings


def resolve(
    problem: str,
    choices: Mapping[str, Any],
    settings: Settings,
    *,
    has_reward_model: bool,
    prompt: tuple[Message, ...] = (),
    n_searches: int = 1,
) -> SearchRequest:
    """The search that ``choices`` (options by name) describe, on top of those of the server's defaults that the method reads.

    Every search has a deadline, by default the server's ``max_seconds``. The request consists of ``n_searches`` such searches.

    Raises:
        InvalidRequest: the method needs a reward model, which is missing, an option is out of range, or the request exceeds a
            limit of the server; ``param`` names the option.
    """
    options = with_defaults(choices, settings.search, has_reward_model=has_reward_model)
    if options.max_seconds is None:
        options = options.model_copy(update={"max_seconds": settings.search.max_seconds or settings.max_seconds})
    request = resolve_request(problem, options, prompt=prompt)
    check_scored(request.method, has_reward_model)
    _check_size(request, settings, n_searches)
    return request


def check_length(text: str, settings: Settings, param: str = "problem") -> None:
    """Raise ``InvalidRequest`` for a text that exceeds the server's limit; ``param`` names the field."""
    if len(text) > settings.max_problem_chars:
        message = f"`{param}` may have at most {settings.max_problem_chars} characters, got {len(text)}: shorten it"
        raise InvalidRequest(message, param=param)


def worst_case_tokens(request: SearchRequest) -> int:
    """Maximum number of tokens that a search could generate.

    Look-ahead samples a successor for each step. The limit of a particle bounds the particles at the end, but not those that
    resampling discarded before.
    """
    options = request.options
    per_particle = options.max_steps * options.max_tokens_per_step * (1 if options.lookahead == "none" else 2)
    if not request.method.resamples and options.max_tokens_per_particle is not None:
        per_particle = min(per_particle, options.max_tokens_per_particle)
    worst = per_particle * options.n_particles
    return worst if options.max_total_tokens is None else min(worst, options.max_total_tokens)


def _check_size(request: SearchRequest, settings: Settings, n_searches: int) -> None:
    options = request.options
    for name, limit in (
        ("max_steps", settings.max_steps),
        ("max_tokens_per_step", settings.max_tokens_per_step),
        ("max_seconds", settings.max_seconds),
    ):
        value = getattr(options, name)
        if value > limit:
            raise InvalidRequest(f"{name} may be at most {limit} on this server, got {value}: lower it", param=name)
    n_particles = options.n_particles * n_searches
    if n_particles > settings.max_particles:
        message = f"n_particles may come to at most {settings.max_particles} for one request on this server"
        raise InvalidRequest(f"{message}, got {n_particles}: lower it", param="n_particles")
    worst = worst_case_tokens(request) * n_searches
    if worst > settings.max_tokens_per_request:
        product = "n_particles x max_steps x max_tokens_per_step" + (" x 2 (look-ahead)" if options.lookahead != "none" else "")
        message = f"{product} may come to at most {settings.max_tokens_per_request} tokens on this server, got {worst}"
        raise InvalidRequest(f"{message}: lower one of them or set max_total_tokens", param="max_total_tokens")
