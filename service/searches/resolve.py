"""From what a caller chose to what is searched: defaults filled in, limits checked before anything is generated."""

from collections.abc import Mapping
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.search.request import SearchRequest, resolve_request, with_defaults
from epf.service.settings import Settings


def resolve(
    problem: str,
    choices: Mapping[str, Any],
    settings: Settings,
    *,
    prompt: tuple[Message, ...] = (),
    n_searches: int = 1,
) -> SearchRequest:
    """The search that ``choices`` (options by name) ask for, on top of those of the server's defaults that the method reads.

    Without ``max_seconds``, or with None, the search has the server's: every search has a deadline. ``n_searches`` such
    searches are one request.

    Raises:
        InvalidRequest: an option is out of range, or the request is larger than the server allows; ``param`` names it.
    """
    options = with_defaults(choices, settings.search)
    if options.max_seconds is None:
        options = options.model_copy(update={"max_seconds": settings.search.max_seconds or settings.max_seconds})
    request = resolve_request(problem, options, prompt=prompt)
    _check_size(request, settings, n_searches)
    return request


def check_length(text: str, settings: Settings, param: str = "problem") -> None:
    """Raise ``InvalidRequest`` for a problem that is longer than the server reads; ``param`` names it."""
    if len(text) > settings.max_problem_chars:
        message = f"`{param}` may have at most {settings.max_problem_chars} characters, got {len(text)}: shorten it"
        raise InvalidRequest(message, param=param)


def worst_case_tokens(request: SearchRequest) -> int:
    """Maximum number of tokens that a search could generate.

    Look-ahead draws a successor for each step. The limit of a particle bounds what is left at the end, but not what was
    resampled away before.
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
