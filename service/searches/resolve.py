"""From the options of a request to a search: fills in the defaults and checks the limits before anything is generated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.search.engine.log_probs import check_log_probs
from epf.search.options import SearchOptions, bounded
from epf.search.runner import ABLE, SearchRequest, check_scored, resolve_request, with_defaults
from epf.service.settings import Settings


def resolve(
    problem: str,
    choices: Mapping[str, Any],
    settings: Settings,
    *,
    has_reward_model: bool,
    context_length: int,
    prompt: tuple[Message, ...] | str = (),
    n_searches: int = 1,
) -> SearchRequest:
    """The search that ``choices`` (options by name) describe, on top of those of the server's defaults that the method reads.

    Every search has a deadline, by default the server's ``max_seconds``, and never generates more than the server's
    ``max_tokens_per_request``, discarded tokens included, but for steps that run ahead and that nobody takes. Maxima of steps
    that nobody chose fit the generator's ``context_length``. The request consists of ``n_searches`` such searches.

    Raises:
        InvalidRequest: the method needs a reward model, which is missing, an option is out of range, or the request exceeds a
            limit of the server; ``param`` names the option.
    """
    options = with_defaults(choices, settings.search, has_reward_model=has_reward_model, profile=settings.learned)
    if options.max_seconds is None:
        options = options.model_copy(update={"max_seconds": settings.search.max_seconds or settings.max_seconds})
    request = resolve_request(problem, options, prompt=prompt)
    check_scored(request.method, has_reward_model)
    _check_size(request.options, settings, context_length, n_searches)
    within = _within(request.options, settings, context_length, n_searches)
    check_log_probs(bounded(within, context_length), ABLE, context_length, n_searches)
    return replace(request, options=within)


def check_length(text: str, settings: Settings, param: str = "problem") -> None:
    """Raise ``InvalidRequest`` for a text that exceeds the server's limit; ``param`` names the field."""
    if len(text) > settings.max_problem_chars:
        message = f"`{param}` may have at most {settings.max_problem_chars} characters, got {len(text)}: shorten it"
        raise InvalidRequest(message, param=param)


def worst_case_tokens(options: SearchOptions, context_length: int) -> int | None:
    """Maximum number of tokens that the caller's own limits allow the particles of a search; None if there is no such limit.

    What resampling discards comes on top of it. The search as a whole ends at ``max_total_tokens``, which :func:`resolve` sets.
    """
    lengths = [] if options.max_tokens_per_particle is None else [options.max_tokens_per_particle]
    if {"max_steps", "max_tokens_per_step"} & {name for name, value in options.chosen().items() if value is not None}:
        full = bounded(options, context_length)
        lengths.append(full.max_steps * full.max_tokens_per_step)
    totals = [] if options.max_total_tokens is None else [options.max_total_tokens]
    if lengths:
        look_ahead = 1 if options.lookahead == "none" else 2
        totals.append(options.n_particles * min(*lengths, context_length) * look_ahead)
    return min(totals, default=None)


def _within(options: SearchOptions, settings: Settings, context_length: int, n_searches: int) -> SearchOptions:
    """``options`` with the maxima that they leave open, within the limits of the server."""
    full = bounded(options, context_length)
    total = settings.max_tokens_per_request // n_searches
    return options.model_copy(
        update={
            "max_steps": options.max_steps or min(full.max_steps, settings.max_steps),
            "max_tokens_per_step": options.max_tokens_per_step or min(full.max_tokens_per_step, settings.max_tokens_per_step),
            "max_total_tokens": total if options.max_total_tokens is None else min(options.max_total_tokens, total),
        }
    )


def _check_size(options: SearchOptions, settings: Settings, context_length: int, n_searches: int) -> None:
    for name, limit in (
        ("max_steps", settings.max_steps),
        ("max_tokens_per_step", settings.max_tokens_per_step),
        ("max_seconds", settings.max_seconds),
    ):
        value = getattr(options, name)
        if value is not None and value > limit:
            raise InvalidRequest(f"{name} may be at most {limit} on this server, got {value}: lower it", param=name)
    n_particles = options.n_particles * n_searches
    if n_particles > settings.max_particles:
        message = f"n_particles may come to at most {settings.max_particles} for one request on this server"
        raise InvalidRequest(f"{message}, got {n_particles}: lower it", param="n_particles")
    worst = (worst_case_tokens(options, context_length) or n_particles) * n_searches
    if worst > settings.max_tokens_per_request:
        product = "n_particles x max_tokens_per_particle (or max_steps x max_tokens_per_step)"
        product += " x 2 (look-ahead)" if options.lookahead != "none" else ""
        message = f"{product} may come to at most {settings.max_tokens_per_request} tokens on this server, got {worst}"
        raise InvalidRequest(f"{message}: lower one of them or set max_total_tokens", param="max_total_tokens")
