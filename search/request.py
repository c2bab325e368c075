"""A search that is ready to run: its method and options, resolved and checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.search.methods import METHODS, Method
from epf.search.options import SearchOptions


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to search for, and how.

    Attributes:
        method: the method itself; ``options.method`` is its name.
        options: what :func:`resolve_options` returned.
        prompt: the conversation that the generator continues; empty for the problem as one message of the user.
        deadline_s: when the search ends, on the event loop's clock; None counts ``max_seconds`` from the search's start.
    """

    problem: str
    method: Method
    options: SearchOptions
    prompt: tuple[Message, ...] = ()
    deadline_s: float | None = None


def with_defaults(choices: Mapping[str, Any], defaults: SearchOptions) -> SearchOptions:
    """``choices``, options by name, on top of the options that were given in ``defaults`` and that the chosen method reads.

    Raises:
        InvalidRequest: an option is unknown, out of range or of another type.
    """
    method = METHODS.get(choices.get("method", defaults.method))  # an unknown one is refused below
    shared = {name: value for name, value in defaults.chosen().items() if method is None or method.reads(name)}
    return SearchOptions(**{**shared, **choices})


def resolve_request(problem: str, options: SearchOptions, *, prompt: tuple[Message, ...] = ()) -> SearchRequest:
    """The search that a caller asks for.

    Raises:
        InvalidRequest: the problem is empty, or :func:`resolve_options` refuses the options.
    """
    if not isinstance(problem, str) or not problem.strip():
        raise InvalidRequest("problem must not be empty: write what is to be solved", param="problem")
    method = METHODS[options.method]
    return SearchRequest(problem, method, resolve_options(method, options), prompt)


def resolve_options(method: Method, options: SearchOptions) -> SearchOptions:
    """``options`` with the values that ``method`` fixes, and its way to select an answer if the caller chose none.

    Raises:
        InvalidRequest: the caller chose another value for an option that the method fixes or does not use, a vote by scores
            that the method does not have, or too few tokens for all particles. No choice is ignored.
    """
    for name, value in options.chosen().items():
        if name in method.fixed and value != method.fixed[name]:
            message = f"{name} is always {method.fixed[name]!r} in method {method.name!r}, got {value!r}"
            raise InvalidRequest(f"{message}: leave it out or choose another method", param=name)
        if not method.reads(name) and name not in method.fixed and value != SearchOptions.model_fields[name].default:
            message = f"{name} is not used by method {method.name!r}, got {value!r}"
            raise InvalidRequest(f"{message}: leave it out or choose another method", param=name)
    if options.answer_selection == "probability_vote" and not method.needs_reward_model:
        message = f"answer_selection 'probability_vote' needs scores, and method {method.name!r} has none: choose another"
        raise InvalidRequest(message, param="answer_selection")
    resolved = options.model_copy(update=dict(method.fixed))
    if resolved.max_total_tokens is not None and resolved.max_total_tokens < resolved.n_particles:
        message = f"max_total_tokens must be at least n_particles ({resolved.n_particles}), one token for each particle"
        raise InvalidRequest(f"{message}, got {resolved.max_total_tokens}", param="max_total_tokens")
    if resolved.answer_selection is None:
        resolved = resolved.model_copy(update={"answer_selection": method.votes(resolved)})
    return resolved
