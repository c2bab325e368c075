"""Log probabilities that a caller asks for with the option ``logprobs``: what they may cost, and the tokens of a result."""

from collections.abc import Sequence
from typing import Final

from epf.core.errors import InvalidRequest
from epf.core.generator import Abilities, Generator, Step, abilities_of
from epf.search.engine.trajectory import Trajectory
from epf.search.options import BoundedOptions
from epf.search.result import Token

MAX_LOG_PROBS: Final = 500_000
"""Maximum number of log probabilities in a result, at worst; each takes up to 60 bytes of JSON."""

UNREPORTED: Final = -9999.0
"""vLLM sends this for minus infinity, and OpenAI's API for a probability that is too low to be reported."""


def check_log_probs(options: BoundedOptions, abilities: Abilities, context_length: int, n_searches: int = 1) -> None:
    """Refuse a request for log probabilities, if it is one, that the generator cannot serve or whose result would be too large.

    Raises:
        InvalidRequest: the generator has none, or ``n_searches`` results may have more than ``MAX_LOG_PROBS``.
    """
    if (param := _reader(options)) is not None and abilities.log_probs is False:
        raise _without_log_probs(param)
    if not options.logprobs:
        return
    length = min(options.max_steps * options.max_tokens_per_step, context_length)
    if options.max_tokens_per_particle is not None:
        length = min(length, options.max_tokens_per_particle)
    n_particles = n_searches * options.n_particles
    worst = n_particles * length * (1 + options.top_logprobs)
    if worst > MAX_LOG_PROBS:
        fits = MAX_LOG_PROBS // (n_particles * (1 + options.top_logprobs))
        message = (
            f"n_particles x tokens of a particle x (1 + top_logprobs) may come to at most {MAX_LOG_PROBS} log probabilities, "
            f"got {n_particles} x {length} x {1 + options.top_logprobs} = {worst}: "
        )
        fix = f"set max_tokens_per_particle to at most {fits}, or " if fits else ""
        param = "top_logprobs" if options.top_logprobs else "logprobs"
        raise InvalidRequest(f"{message}{fix}lower n_particles or top_logprobs", param=param)


def check_has_log_probs(step: Step, options: BoundedOptions, generator: Generator) -> None:
    """Raise ``InvalidRequest`` for a step without the log probabilities that an option needs, unless they were announced."""
    missing = step.token_ids and not step.log_probs and abilities_of(generator).log_probs is not True
    if missing and (param := _reader(options)) is not None:
        raise _without_log_probs(param)


def tokens_of(trajectories: Sequence[Trajectory], generator: Generator) -> list[tuple[tuple[Token, ...] | None, ...]]:
    """Tokens of each step of each particle; copies of a particle share them."""
    has_ids = abilities_of(generator).token_ids
    known: dict[int, tuple[Token, ...] | None] = {}

    def of_step(step: Step) -> tuple[Token, ...] | None:
        if id(step) not in known:
            known[id(step)] = _tokens(step, generator, has_ids) if step.log_probs or not step.token_ids else None
        return known[id(step)]

    return [tuple(map(of_step, trajectory.steps)) for trajectory in trajectories]


def missing_log_probs(trajectories: Sequence[Trajectory], n_top: int) -> str:
    """Which of the requested log probabilities no step has, in a sentence or two; empty if there are all."""
    steps = list({id(step): step for trajectory in trajectories for step in trajectory.steps}.values())
    without = sum(1 for step in steps if step.token_ids and not step.log_probs)
    n_tokens = sum(len(step.log_probs) for step in steps)
    n_full = sum(len(top) >= n_top for step in steps for top in step.top_log_probs)
    found = []
    if without:
        found.append(
            f"The tokens of {without} of {len(steps)} steps have no log probabilities, since the generator's server did not "
            "show all of them: there they are null."
        )
    if n_top and n_full < n_tokens:
        found.append(
            f"At {n_tokens - n_full} of {n_tokens} tokens the generator's server listed fewer than {n_top} of the most likely "
            "tokens: lower top_logprobs, or raise the limit of the server."
        )
    return " ".join(found)


def _tokens(step: Step, generator: Generator, has_ids: bool) -> tuple[Token, ...]:
    tops = step.top_log_probs or ((),) * len(step.log_probs)
    return tuple(
        Token(
            token_id if has_ids else None,
            generator.token_bytes(token_id),
            value if value > UNREPORTED else None,
            tuple((data, log_prob) for data, log_prob in top if log_prob > UNREPORTED),
        )
        for token_id, value, top in zip(step.token_ids, step.log_probs, tops, strict=False)
    )


def _reader(options: BoundedOptions) -> str | None:
    """The option that needs log probabilities, if one is set."""
    if options.logprobs:
        return "logprobs"
    return None if options.score_below_logprob is None else "score_below_logprob"


def _without_log_probs(param: str) -> InvalidRequest:
    message = f"{param}: the generator's server returns no log probabilities: leave it out (see docs/servers.md)"
    return InvalidRequest(message, param=param)
