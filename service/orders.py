"""From what a caller chose to what is searched: defaults filled in, limits checked before anything is generated."""

from collections.abc import Mapping
from typing import Any

from errors import InvalidRequest
from generators.protocol import Message
from search.config import SearchConfig
from search.methods import method_named
from service.searches import Order
from service.settings import Settings


def ordered(
    problem: str,
    choices: Mapping[str, Any],
    settings: Settings,
    *,
    prompt: tuple[Message, ...] | None = None,
    n_searches: int = 1,
) -> Order:
    """The search that ``choices`` (options by name, ``method`` among them) ask for, on top of the server's defaults.

    Raises:
        InvalidRequest: an option is out of range, or the request is larger than the server allows; ``param`` names it.
    """
    defaults = {"method": "epf", "max_seconds": settings.max_seconds, **settings.search.chosen()}
    method = method_named(choices.get("method", defaults["method"]))
    options = {**{name: value for name, value in defaults.items() if name not in method.fixed}, **choices}
    options.pop("method", None)
    for name, value in method.fixed.items():
        if name in choices and choices[name] != value:  # also the search's own default, which only a caller can choose here
            message = f"{name} is always {value!r} in method {method.name!r}, got {choices[name]!r}: leave it out"
            raise InvalidRequest(message, param=name)
    config = method.configured(SearchConfig(**options))
    _check_size(config, settings, n_searches)
    return Order(problem, method.name, config, prompt)


def _check_size(config: SearchConfig, settings: Settings, n_searches: int) -> None:
    for name, limit in (
        ("max_steps", settings.max_steps),
        ("max_tokens_per_step", settings.max_tokens_per_step),
        ("max_seconds", settings.max_seconds),
    ):
        value = getattr(config, name)
        if value is None or value > limit:
            raise InvalidRequest(f"{name} may be at most {limit:g} on this server, got {value}", param=name)
    if config.n_particles * n_searches > settings.max_particles:
        message = f"n_particles may be at most {settings.max_particles} for all choices of a request together"
        raise InvalidRequest(f"{message}, got {config.n_particles * n_searches}", param="n_particles")
    worst = min(config.max_steps * config.max_tokens_per_step, config.max_tokens_per_particle or 2**62) * config.n_particles
    worst = min(worst, config.max_total_tokens or worst) * n_searches
    if worst > settings.max_tokens_per_request:
        message = f"n_particles x max_steps x max_tokens_per_step may come to at most {settings.max_tokens_per_request} tokens"
        raise InvalidRequest(f"{message}, got {worst}: lower one of them or set max_total_tokens", param="max_total_tokens")
