"""Limits of the texts to score, checked before any of them is tokenized: in ``POST /score`` of both servers."""

from collections.abc import Sequence

from epf.core.errors import InvalidRequest
from epf.service.settings import Settings


def check_trace(problem: str, steps: Sequence[str], settings: Settings) -> None:
    """Raise ``InvalidRequest`` for a problem or steps that exceed a limit; the message names the field and the setting."""
    _check_chars("problem", problem, settings.max_problem_chars, "EPF_MAX_PROBLEM_CHARS")
    for i, step in enumerate(steps):
        _check_chars(f"steps.{i}", step, settings.max_step_chars, "EPF_MAX_STEP_CHARS")
    n_chars = sum(map(len, steps))
    if n_chars > settings.max_solution_chars:
        limit = f"`steps` may have at most {settings.max_solution_chars} characters in all (EPF_MAX_SOLUTION_CHARS)"
        raise InvalidRequest(f"{limit}, got {n_chars}: send fewer or shorter steps", param="steps")


def _check_chars(field: str, text: str, limit: int, setting: str) -> None:
    if len(text) > limit:
        message = f"`{field}` may have at most {limit} characters on this server ({setting}), got {len(text)}: shorten it"
        raise InvalidRequest(message, param=field)
