"""From what a caller chose to what is searched: defaults filled in, limits checked before anything is generated."""

from collections.abc import Mapping
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.search.methods import Method, method_named
from epf.search.options import SearchConfig
from epf.service.searches.lease import Order
from epf.service.settings import Settings


def ordered(
    problem: str,
    choices: Mapping[str, Any],
    settings: Settings,
    *,
    prompt: tuple[Message, ...] | None = None,
    n_searches: int = 1,
) -> Order:
    """The search that ``choices`` (options by name, ``method`` among them) ask for, on top of the server's defaults.

    No ``max_seconds``, or None, is the server's: every search has a deadline. ``n_searches`` such searches are one request.

    Raises:
        InvalidRequest: an option is out of range, or the request is larger than the server allows; ``param`` names it.
    """
    defaults = settings.search.chosen()
    method = method_named(choices.get("method", defaults.get("method", "epf")))
    options = {name: value for name, value in defaults.items() if name not in method.fixed} | dict(choices)
    if options.get("max_seconds") is None:
        options["max_seconds"] = settings.search.max_seconds or settings.max_seconds
    options.pop("method", None)
    for name, value in method.fixed.items():
        if name in choices and choices[name] != value:  # also the search's own default, which only a caller can choose here
            message = f"{name} is always {value!r} in method {method.name!r}, got {choices[name]!r}: leave it out"
            raise InvalidRequest(message, param=name)
    config = method.configured(SearchConfig(**options))
    _check_size(method, config, settings, n_searches)
    return Order(problem, method.name, config, prompt)


def check_length(text: str, settings: Settings, param: str = "problem") -> None:
    """Raise ``InvalidRequest`` for a problem that is longer than the server reads; ``param`` names it."""
    if len(text) > settings.max_problem_chars:
        message = f"`{param}` may have at most {settings.max_problem_chars} characters, got {len(text)}: shorten it"
        raise InvalidRequest(message, param=param)


def worst_case_tokens(method: Method, config: SearchConfig) -> int:
    """Most tokens that a search could generate.

    A look-ahead draws a successor for each step. The limit of a particle bounds what is left at the end, but not what was
    resampled away before.
    """
    per_particle = config.max_steps * config.max_tokens_per_step * (1 if config.lookahead == "none" else 2)
    if not method.resamples and config.max_tokens_per_particle is not None:
        per_particle = min(per_particle, config.max_tokens_per_particle)
    worst = per_particle * config.n_particles
    return worst if config.max_total_tokens is None else min(worst, config.max_total_tokens)


def _check_size(method: Method, config: SearchConfig, settings: Settings, n_searches: int) -> None:
    for name, limit in (
        ("max_steps", settings.max_steps),
        ("max_tokens_per_step", settings.max_tokens_per_step),
        ("max_seconds", settings.max_seconds),
    ):
        value = getattr(config, name)
        if value > limit:
            raise InvalidRequest(f"{name} may be at most {limit} on this server, got {value}: lower it", param=name)
    n_particles = config.n_particles * n_searches
    if n_particles > settings.max_particles:
        message = f"n_particles may come to at most {settings.max_particles} for one request on this server"
        raise InvalidRequest(f"{message}, got {n_particles}: lower it", param="n_particles")
    worst = worst_case_tokens(method, config) * n_searches
    if worst > settings.max_tokens_per_request:
        product = "n_particles x max_steps x max_tokens_per_step" + (" x 2 (look-ahead)" if config.lookahead != "none" else "")
        message = f"{product} may come to at most {settings.max_tokens_per_request} tokens on this server, got {worst}"
        raise InvalidRequest(f"{message}: lower one of them or set max_total_tokens", param="max_total_tokens")
