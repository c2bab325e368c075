"""One search from its options to its result: method and options are resolved and checked once, then the search runs."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from epf.core.deadlines import working_until
from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Abilities, Generator, Message, abilities_of, plain_prompt_ids, text_ids
from epf.core.merge import merge
from epf.core.off_loop import off_loop
from epf.core.reward_model import RewardModel
from epf.core.sessions import search_session
from epf.core.tracing import search_span, span
from epf.search.answers.checker import AnswerChecker
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.confidence.shipped import shipped_map
from epf.search.engine.log_probs import check_log_probs
from epf.search.engine.search_run import SearchRun, TimeLimit
from epf.search.engine.select_answer import select_answer
from epf.search.engine.traced import traced_options, traced_result, traced_round
from epf.search.engine.usage_meter import UsageMeter
from epf.search.events import Answered, Event, Resampled, Started
from epf.search.methods import METHODS, Method
from epf.search.methods.epf import EPF
from epf.search.methods.method import COMMON
from epf.search.methods.self_consistency import SELF_CONSISTENCY
from epf.search.options import MethodName, SearchOptions, bounded
from epf.search.profile.profile import Profile
from epf.search.result import SearchResult

SEED_BITS = 53
"""A seed that the search draws itself is exact in JSON."""

ABLE = Abilities()
"""A generator of which nothing is known yet, such as before it is loaded."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to search for, and how.

    Attributes:
        method: the method itself; ``options.method`` is its name.
        options: what :func:`resolve_options` returned.
        prompt: the conversation that the generator continues, or a text that it continues without its chat template; empty for
            the problem as one message of the user.
        deadline_s: when the search ends, on the event loop's clock; None counts ``max_seconds`` from the search's start.
    """

    problem: str
    method: Method
    options: SearchOptions
    prompt: tuple[Message, ...] | str = ()
    deadline_s: float | None = None


def with_defaults(
    choices: Mapping[str, Any], defaults: SearchOptions, *, has_reward_model: bool, profile: Profile | None = None
) -> SearchOptions:
    """``choices``, options by name, on top of the options that were given in ``defaults`` and that the chosen method reads.

    Where neither names a method, it is the default of a search with a reward model or without one. If the method is ``epf``,
    options that neither names are those of the ``profile``.

    Raises:
        InvalidRequest: an option is unknown, out of range or of another type.
    """
    given = {"method": default_method(has_reward_model), **defaults.chosen()}
    method = METHODS.get(choices.get("method", given["method"]))  # an unknown one is refused below
    shared = {name: value for name, value in given.items() if method is None or method.reads(name)}
    learned = profile.options if profile is not None and method is EPF else {}
    return SearchOptions(**{**learned, **shared, **choices})


def default_method(has_reward_model: bool) -> MethodName:
    """The method of a search for which nobody chose one."""
    return SearchOptions().method if has_reward_model else SELF_CONSISTENCY.name


def check_scored(method: Method, has_reward_model: bool, abilities: Abilities = ABLE) -> None:
    """Raise ``InvalidRequest`` for a method that needs a reward model where it is missing."""
    if method.needs_reward_model and not has_reward_model:
        others = _others(has_reward_model, abilities)
        message = f"Method {method.name!r} needs a reward model, which is missing: choose {others}, or name a reward model "
        raise InvalidRequest(f"{message}(--reward-model, EPF_REWARD_MODEL; see docs/models.md).", param="method")


def check_able(method: Method, has_reward_model: bool, abilities: Abilities) -> None:
    """Raise ``InvalidRequest`` for a method that the generator cannot serve."""
    if is_able(method, abilities):
        return
    what = "continues solutions step by step" if method.by_steps and not abilities.continues else "weighs by log probabilities"
    message = f"Method {method.name!r} {what}, which the generator's server does not offer: choose "
    raise InvalidRequest(f"{message}{_others(has_reward_model, abilities)} (see docs/servers.md).", param="method")


def _others(has_reward_model: bool, abilities: Abilities) -> str:
    """The methods that can be used, in words."""
    usable = [
        name
        for name, method in METHODS.items()
        if is_able(method, abilities) and (has_reward_model or not method.needs_reward_model)
    ]
    return f"{', '.join(usable[:-1])} or {usable[-1]}"


def is_able(method: Method, abilities: Abilities) -> bool:
    """Whether a generator with these abilities can serve a method."""
    return (abilities.continues or not method.by_steps) and (abilities.log_probs is not False or not method.needs_log_probs)


def resolve_request(problem: str, options: SearchOptions, *, prompt: tuple[Message, ...] | str = ()) -> SearchRequest:
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
    own = COMMON | method.own
    for name, value in options.chosen().items():
        if name in method.fixed and value != method.fixed[name]:
            message = f"{name} is always {method.fixed[name]!r} in method {method.name!r}, got {value!r}"
            raise InvalidRequest(f"{message}: leave it out or choose another method", param=name)
        if name not in own and name not in method.fixed and value != SearchOptions.model_fields[name].default:
            message = f"{name} is not used by method {method.name!r}, got {value!r}"
            raise InvalidRequest(f"{message}: leave it out or choose another method", param=name)
    if options.answer_selection == "probability_vote" and not method.needs_reward_model:
        message = f"answer_selection 'probability_vote' needs scores, and method {method.name!r} has none: choose another"
        raise InvalidRequest(message, param="answer_selection")
    resolved = options.model_copy(update=dict(method.fixed))
    if resolved.max_total_tokens is not None and resolved.max_total_tokens < resolved.n_particles:
        message = f"max_total_tokens must be at least n_particles ({resolved.n_particles}), one token for each particle"
        raise InvalidRequest(f"{message}, got {resolved.max_total_tokens}", param="max_total_tokens")
    if resolved.top_logprobs and not resolved.logprobs:
        message = f"top_logprobs requires logprobs, got {resolved.top_logprobs}: set logprobs to true or leave it out"
        raise InvalidRequest(message, param="top_logprobs")
    if resolved.answer_selection is None:
        resolved = resolved.model_copy(update={"answer_selection": method.votes(resolved)})
    return resolved


async def search(
    request: SearchRequest,
    *,
    generator: Generator,
    reward_model: RewardModel | None,
    checker: AnswerChecker | None = None,
    confidence: ConfidenceMap | None = None,
    until: TimeLimit | None = None,
    emit: Callable[[Event], None] = lambda event: None,
) -> SearchResult:
    """Solve what ``request`` asks for. Cancelling the call cancels every upstream call.

    The reward model scores by the request's problem alone, whatever its prompt. ``checker`` groups equal answers; None starts
    one for this search. ``confidence`` is a map fitted for these models; None takes the one that ships with the embedded pair,
    and for other models the unfitted form. ``until`` is a time limit in addition to that of the request. ``emit`` receives each
    event as it happens, ``Answered`` last.

    Raises:
        InvalidRequest: a prompt too long for the generator, no reward model where the method needs one, or a confidence map
            that was fitted for other models.
        GeneratorError, RewardModelError: a model failed or returned an invalid value.
        SearchFailed, DeadlineExceeded: no particle has produced anything to answer from.
    """
    with search_session() as session, search_span(f"search {request.method.name}") as traced:
        traced.set({"epf.session_id": session, **traced_options(request.options, generator, reward_model)})

        def observed(event: Event) -> None:
            if isinstance(event, Resampled):
                traced.event("resampled", traced_round(event))
            emit(event)

        result = await _search(
            request,
            generator=generator,
            reward_model=reward_model,
            checker=checker,
            confidence=confidence,
            until=until,
            emit=observed if traced.recorded else emit,
        )
        traced.set(traced_result(result))
        return result


async def _search(
    request: SearchRequest,
    *,
    generator: Generator,
    reward_model: RewardModel | None,
    checker: AnswerChecker | None,
    confidence: ConfidenceMap | None,
    until: TimeLimit | None,
    emit: Callable[[Event], None],
) -> SearchResult:
    method, options = request.method, bounded(request.options, generator.context_length)
    abilities = abilities_of(generator)
    check_scored(method, reward_model is not None, abilities)
    check_able(method, reward_model is not None, abilities)
    check_log_probs(options, abilities, generator.context_length)
    scored_by = reward_model if method.needs_reward_model else None
    names = generator.name, None if scored_by is None else scored_by.name
    if confidence is None:
        confidence = shipped_map(*names)
    else:
        confidence.check(*names)
    loop = asyncio.get_running_loop()
    meter = UsageMeter(loop.time)
    seed = secrets.randbits(SEED_BITS) if options.seed is None else options.seed
    deadline_s = request.deadline_s
    if deadline_s is None and options.max_seconds is not None:
        deadline_s = loop.time() + options.max_seconds
    n_chars = len(request.problem) + sum(len(getattr(message, "content", "")) for message in request.prompt)
    prompt_ids = await off_loop(n_chars, partial(_prompt_ids, generator, request))
    n_prompt = len(prompt_ids) if abilities.counts_prompts else 0
    emit(Started(method.name, options.n_particles, seed, n_prompt if abilities.counts_prompts else None))

    run = SearchRun(
        request.problem,
        prompt_ids,
        generator,
        reward_model,
        options,
        seed,
        meter,
        deadline_s,
        until or _no_limit,
        emit,
        confidence,
    )
    with working_until(deadline_s) as deadline:
        async with aclosing(run.sampler):
            outcome = await method.run(run)
    async with AsyncExitStack() as stack:
        if checker is None:
            checker = await stack.enter_async_context(aclosing(AnswerChecker()))
        with span("select answer"):
            result = await select_answer(
                outcome,
                run,
                checker,
                confidence=confidence,
                method=method.name,
                has_reward_model=method.needs_reward_model,
                prompt_tokens=n_prompt,
                waited_for="" if deadline is None else deadline.waited_for,
            )
    emit(Answered(result))
    return result


def stream(
    request: SearchRequest,
    *,
    generator: Generator,
    reward_model: RewardModel | None,
    checker: AnswerChecker | None = None,
    confidence: ConfidenceMap | None = None,
    until: TimeLimit | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield the events of :func:`search` as they happen, then raise its error if it has one.

    Closing the stream cancels the search.
    """

    def run(emit: Callable[[Event], None]) -> Coroutine[Any, Any, SearchResult]:
        return search(
            request,
            generator=generator,
            reward_model=reward_model,
            checker=checker,
            confidence=confidence,
            until=until,
            emit=emit,
        )

    return merge([run])


def _no_limit(_grace_s: float) -> AbstractAsyncContextManager[None]:
    return nullcontext()


def render(conversation: Sequence[Message] | str, system_prompt: str | None, generator: Generator) -> tuple[int, ...]:
    """Token ids of a conversation, with the system prompt that the options of its search ask for, or those of a text.

    Raises what :func:`epf.core.generator.text_ids` raises.
    """
    if isinstance(conversation, str):
        return tuple(text_ids(generator, conversation))
    if system_prompt is None or (system_prompt.strip() and any(message.role == "system" for message in conversation)):
        return tuple(generator.prompt_ids(conversation))
    if not system_prompt.strip():
        return tuple(plain_prompt_ids(generator, conversation))
    return tuple(generator.prompt_ids((Message("system", system_prompt), *conversation)))


def _prompt_ids(generator: Generator, request: SearchRequest) -> tuple[int, ...]:
    try:
        ids = render(request.prompt or (Message("user", request.problem),), request.options.system_prompt, generator)
    except InvalidRequest as error:
        if not request.prompt and error.param == "messages":
            error.param = "problem"
        raise
    except SearchServiceError:
        raise
    except Exception as error:
        raise GeneratorError(f"the generator could not read the problem: {type(error).__name__}: {error}") from error
    if len(ids) >= generator.context_length:
        message = f"the prompt has {len(ids)} tokens, the model's context {generator.context_length}: shorten it"
        raise ContextTooLong(message, param="problem")
    return ids
