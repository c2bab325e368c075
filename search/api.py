"""One search in one call: from a notebook, from a coroutine, or event by event."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from epf.core.generator import Generator, Message
from epf.core.reward_model import RewardModel
from epf.search import runner
from epf.search.answers.checker import AnswerChecker
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.engine.search_run import TimeLimit
from epf.search.events import Answered, Event
from epf.search.options import SearchOptions
from epf.search.result import SearchResult
from epf.search.runner import SearchRequest, resolve_request


def solve(
    problem: str,
    *,
    options: SearchOptions | None = None,
    generator: Generator | None = None,
    reward_model: RewardModel | None = None,
    confidence: ConfidenceMap | None = None,
    **choices: Any,
) -> SearchResult:
    """Solve ``problem`` and wait for the result, even where an event loop is already running, as in a notebook.

    ``options`` holds the method and the other options of the search. Single options may be given by name and win over it, as
    in ``solve(text, method="pf", n_particles=8)``; see :class:`SearchOptions` for all of them. Without a ``generator`` or a
    ``reward_model`` the embedded one is loaded for this call and freed afterwards. A model that you pass must not be tied to an
    event loop, since this call runs its own. ``confidence`` is a map that ``epf calibrate`` fitted for these models, read
    with :func:`epf.search.confidence.file.load_map`; the embedded pair has one of its own.

    Raises what :func:`asolve` raises.
    """

    def work() -> SearchResult:
        return asyncio.run(
            asolve(
                problem,
                options=options,
                generator=generator,
                reward_model=reward_model,
                confidence=confidence,
                **choices,
            )
        )

    if not _loop_runs():
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="solve") as thread:
        return thread.submit(work).result()


async def asolve(
    problem: str,
    *,
    options: SearchOptions | None = None,
    generator: Generator | None = None,
    reward_model: RewardModel | None = None,
    prompt: Sequence[Message] = (),
    checker: AnswerChecker | None = None,
    confidence: ConfidenceMap | None = None,
    until: TimeLimit | None = None,
    **choices: Any,
) -> SearchResult:
    """Solve ``problem``; the arguments are those of :func:`solve`. Cancelling the call cancels every upstream call.

    ``prompt`` is the conversation that the generator continues; without one it is the problem as one message of the user.
    ``checker`` groups equal answers; None starts one for this call. ``until`` is a time limit in addition to
    ``max_seconds``, which may move while the search runs.

    Raises:
        InvalidRequest: an option or the problem is invalid; no token has been generated.
        GeneratorError, RewardModelError: a model failed or returned an invalid value.
        SearchFailed, DeadlineExceeded: no particle has produced anything to answer from.
    """
    request = _request(problem, options, choices, prompt)
    async with _models(request, generator, reward_model) as (gen, prm):
        return await runner.search(
            request, generator=gen, reward_model=prm, checker=checker, confidence=confidence, until=until
        )


async def stream(
    problem: str,
    *,
    options: SearchOptions | None = None,
    generator: Generator | None = None,
    reward_model: RewardModel | None = None,
    prompt: Sequence[Message] = (),
    checker: AnswerChecker | None = None,
    confidence: ConfidenceMap | None = None,
    until: TimeLimit | None = None,
    **choices: Any,
) -> AsyncGenerator[Event, None]:
    """Yield the events of the search as they happen, ``Answered`` last; arguments and errors are those of :func:`asolve`.

    Closing the stream cancels the search.
    """
    request = _request(problem, options, choices, prompt)
    answered: Answered | None = None
    async with (
        _models(request, generator, reward_model) as (gen, prm),
        aclosing(
            runner.stream(request, generator=gen, reward_model=prm, checker=checker, confidence=confidence, until=until)
        ) as events,
    ):
        async for event in events:
            if isinstance(event, Answered):
                answered = event
            else:
                yield event
    if answered is not None:  # only once everything is closed, so that a reader who stops at the answer leaves nothing open
        yield answered


def _request(problem: str, options: SearchOptions | None, choices: dict[str, Any], prompt: Sequence[Message]) -> SearchRequest:
    given = {} if options is None else options.chosen()
    return resolve_request(problem, SearchOptions(**{**given, **choices}), prompt=tuple(prompt))


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def _models(
    request: SearchRequest, generator: Generator | None, reward_model: RewardModel | None
) -> AsyncIterator[tuple[Generator, RewardModel | None]]:
    """The models that were passed, or the embedded ones instead, which are closed at the end."""
    async with AsyncExitStack() as stack:
        if generator is None:
            from epf.generators.registry import load_generator

            generator = await stack.enter_async_context(aclosing(await asyncio.to_thread(load_generator)))
        if reward_model is None and request.method.needs_reward_model:
            from epf.reward_models.registry import load_reward_model

            reward_model = await stack.enter_async_context(aclosing(await asyncio.to_thread(load_reward_model)))
        yield generator, reward_model
