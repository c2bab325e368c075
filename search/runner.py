"""One search from problem to result, as a coroutine or as a stream of events."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Generator, Message
from epf.core.merge import merge
from epf.core.reward_model import RewardModel
from epf.search.answers.equality import AnswerChecker
from epf.search.engine.budget import Deadline, UsageMeter
from epf.search.engine.search_run import SearchRun
from epf.search.engine.select_answer import select_answer
from epf.search.events import Answered, Event, Started
from epf.search.request import SearchRequest
from epf.search.result import SearchResult

SEED_BITS = 53
"""A seed that the search draws itself is exact in JSON."""


async def search(
    request: SearchRequest,
    *,
    generator: Generator,
    reward_model: RewardModel | None,
    checker: AnswerChecker | None = None,
    until: Deadline | None = None,
    emit: Callable[[Event], None] = lambda event: None,
) -> SearchResult:
    """Solve what ``request`` asks for. Cancelling the call cancels every upstream call.

    The reward model scores by the request's problem alone, whatever its prompt. ``checker`` groups equal answers; None starts
    one for this search. ``until`` ends it as the request's own deadline does, if it comes earlier. ``emit`` receives each event
    as it happens, ``Answered`` last.

    Raises:
        InvalidRequest: a prompt too long for the generator, or no reward model where the method needs one.
        GeneratorError, RewardModelError: a model failed or returned an invalid value.
        SearchFailed, DeadlineExceeded: no particle has produced anything to answer from.
    """
    method, options = request.method, request.options
    if method.needs_reward_model and reward_model is None:
        raise InvalidRequest(f"reward_model must be given: method {method.name!r} needs one", param="reward_model")
    loop = asyncio.get_running_loop()
    meter = UsageMeter(loop.time)
    seed = secrets.randbits(SEED_BITS) if options.seed is None else options.seed
    deadline_s = request.deadline_s
    if deadline_s is None and options.max_seconds is not None:
        deadline_s = loop.time() + options.max_seconds
    prompt_ids = _prompt_ids(generator, request.prompt or (Message("user", request.problem),))
    emit(Started(method.name, options.n_particles, seed, len(prompt_ids)))

    run = SearchRun(
        request.problem, prompt_ids, generator, reward_model, options, seed, meter, deadline_s, until or Deadline(), emit
    )
    outcome = await method.run(run)
    async with AsyncExitStack() as stack:
        if checker is None:
            checker = await stack.enter_async_context(aclosing(AnswerChecker()))
        result = await select_answer(outcome, run, checker, method=method.name, prompt_tokens=len(prompt_ids))
    emit(Answered(result))
    return result


def stream(
    request: SearchRequest,
    *,
    generator: Generator,
    reward_model: RewardModel | None,
    checker: AnswerChecker | None = None,
    until: Deadline | None = None,
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
            until=until,
            emit=emit,
        )

    return merge([run])


def _prompt_ids(generator: Generator, prompt: Sequence[Message]) -> tuple[int, ...]:
    try:
        ids = tuple(generator.prompt_ids(prompt))
    except SearchServiceError:
        raise
    except Exception as error:
        raise GeneratorError(f"the generator could not read the problem: {type(error).__name__}: {error}") from error
    if len(ids) >= generator.context_length:
        message = f"the prompt has {len(ids)} tokens, the model's context {generator.context_length}: shorten it"
        raise ContextTooLong(message, param="problem")
    return ids
