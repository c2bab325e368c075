"""Limits of a search's options, checked in one place before any token is generated.

Every message names the field, its limit and what was given.
"""

import math
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

from epf.core.errors import InvalidRequest

if TYPE_CHECKING:
    from epf.search.options import SearchConfig

MAX_PARTICLES = 256
MAX_STEPS = 1000
MAX_ITERATIONS = MAX_PARTICLES
MAX_TOKENS_PER_STEP = 8192
MAX_TEMPERATURE = 2.0
MAX_ODDS_POWER = 10.0
MAX_SEPARATOR_CHARS = 16
MAX_STOPS = 4
MAX_STOP_CHARS = 256
MAX_SEED = 2**63 - 1

CHOICES = ("annealing", "lookahead", "resampling", "weighting", "answer_selection", "aggregation")


def check_config(config: "SearchConfig") -> None:
    """Raise ``InvalidRequest`` for the first option of ``config`` that is out of its range or of another type."""
    _whole(config, "n_particles", 1, MAX_PARTICLES)
    _whole(config, "max_steps", 1, MAX_STEPS)
    _whole(config, "max_tokens_per_step", 1, MAX_TOKENS_PER_STEP)
    _whole(config, "horizon", 1, MAX_STEPS)
    _whole(config, "beam_width", 1, MAX_PARTICLES)
    _whole(config, "iterations", 1, MAX_ITERATIONS)
    _real(config, "temperature", 0.0, MAX_TEMPERATURE)
    _real(config, "top_p", 0.0, 1.0, above_low=True)
    _real(config, "ess_threshold", 0.0, 1.0)
    _real(config, "early_phase", 0.0, 1.0)
    _real(config, "lookahead_weight", 0.0, 1.0)
    _real(config, "odds_power", 0.0, MAX_ODDS_POWER)
    _real(config, "pool_fraction", 0.0, 1.0)
    _real(config, "certainty", 0.0, 1.0)
    for name in CHOICES:
        _choice(config, name)
    if not isinstance(config.separator, str) or len(config.separator) > MAX_SEPARATOR_CHARS:
        raise _refusal(config, "separator", f"must be a text of at most {MAX_SEPARATOR_CHARS} characters")
    if not isinstance(config.stop, tuple) or len(config.stop) > MAX_STOPS or not all(map(_is_stop, config.stop)):
        raise _refusal(config, "stop", f"must be at most {MAX_STOPS} texts of 1 to {MAX_STOP_CHARS} characters")
    for name in ("resample_finished", "entropy_zscore"):
        if not isinstance(getattr(config, name), bool):
            raise _refusal(config, name, "must be true or false")
    if config.seed is not None:
        _whole(config, "seed", 0, MAX_SEED)
    if config.max_tokens_per_particle is not None:
        _whole(config, "max_tokens_per_particle", 1, None)
    if config.straggler_quantile is not None:
        _real(config, "straggler_quantile", 0.0, 1.0, above_low=True)
    if config.max_seconds is not None:
        _real(config, "max_seconds", 0.0, math.inf, above_low=True)
    if config.max_total_tokens is not None:
        _whole(config, "max_total_tokens", 1, None)
        if config.max_total_tokens < config.n_particles:
            raise _refusal(config, "max_total_tokens", f"must be at least n_particles ({config.n_particles}), a token for each")


def _is_stop(text: object) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= MAX_STOP_CHARS


def check_problem(problem: str) -> None:
    """Raise ``InvalidRequest`` for a problem without any text."""
    if not isinstance(problem, str) or not problem.strip():
        raise InvalidRequest("problem must not be empty: write what is to be solved", param="problem")


def _whole(config: "SearchConfig", name: str, low: int, high: int | None) -> None:
    value = getattr(config, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        raise _refusal(config, name, f"must be a whole number of at least {low}" + (f" and at most {high}" if high else ""))


def _real(config: "SearchConfig", name: str, low: float, high: float, *, above_low: bool = False) -> None:
    value = getattr(config, name)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high or (above_low and value == low):
        limits = f"{'above' if above_low else 'at least'} {low:g}" + (f" and at most {high:g}" if math.isfinite(high) else "")
        raise _refusal(config, name, f"must be a number {limits}")


def _choice(config: "SearchConfig", name: str) -> None:
    allowed = _allowed(name)
    if getattr(config, name) not in allowed:
        raise _refusal(config, name, f"must be one of {', '.join(filter(None, allowed))}")


@cache
def _allowed(name: str) -> tuple[str | None, ...]:
    """None where the option may be left open."""
    from epf.search.options import SearchConfig  # which imports this module to check itself

    hint = get_type_hints(SearchConfig)[name]
    return get_args(hint) if get_origin(hint) is Literal else (*get_args(get_args(hint)[0]), None)


def _refusal(config: "SearchConfig", name: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"{name} {rule}, got {getattr(config, name)!r}", param=name)
