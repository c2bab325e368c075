"""The search in one call: from a notebook, from a coroutine, or event by event."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from epf.core.generator import Generator, Message
from epf.core.reward_model import RewardModel
from epf.search.answers.equality import AnswerChecker
from epf.search.engine import runner as driver
from epf.search.engine.deadline import Deadline
from epf.search.events import Answered, Event
from epf.search.methods import Method, method_named
from epf.search.options import SearchConfig
from epf.search.result import SearchResult


def solve(
    problem: str,
    *,
    method: str = "epf",
    config: SearchConfig | None = None,
    generator: Generator | None = None,
    reward_model: RewardModel | None = None,
    **options: Any,
) -> SearchResult:
    """Solve ``problem`` and wait for the result, also where an event loop runs already, as in a notebook.

    ``method`` is a name in ``METHODS``. ``config`` holds the options of the search; single ones may be given by name, as in
    ``solve(text, n_particles=8)``. No ``generator`` or ``reward_model`` means the embedded one, loaded for this call and freed
    afterwards; one that is given must not be tied to an event loop, since this call runs its own.

    Raises what :func:`asolve` raises.
    """

    def work() -> SearchResult:
        return asyncio.run(
            asolve(problem, method=method, config=config, generator=generator, reward_model=reward_model, **options)
        )

    if not _loop_runs():
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="solve") as thread:
        return thread.submit(work).result()


async def asolve(
    problem: str,
    *,
    method: str = "epf",
    config: SearchConfig | None = None,
    generator: Generator | None = None,
    reward_model: RewardModel | None = None,
    prompt: Sequence[Message] | None = None,
    checker: AnswerChecker | None = None,
    until: Deadline | None = None,
    **options: Any,
) -> SearchResult:
    """Solve ``problem``; arguments as for :func:`solve`. Cancelling the call cancels every upstream call.

    ``prompt`` is the conversation that the generator goes on with, None the problem as one message of the user. ``checker``
    groups equal answers; None starts one for this call. ``until`` ends the search as ``max_seconds`` does, if earlier.

    Raises:
        InvalidRequest: a bad option or problem, before any token is generated.
        GeneratorError, RewardModelError: a model failed or answered nonsense.
        SearchFailed, DeadlineExceeded: there is nothing to answer from.
    """
    chosen, settings = method_named(method), _settings(config, options)
    async with _models(chosen, generator, reward_model) as (gen, prm):
        return await driver.search(
            problem,
            method=chosen,
            config=settings,
            generator=gen,
            reward_model=prm,
            prompt=prompt,
            checker=checker,
            until=until,
        )


async def stream(
    problem: str,
    *,
    method: str = "epf",
    config: SearchConfig | None = None,
    generator: Generator | None = None,
    reward_model: RewardModel | None = None,
    prompt: Sequence[Message] | None = None,
    checker: AnswerChecker | None = None,
    until: Deadline | None = None,
    **options: Any,
) -> AsyncGenerator[Event, None]:
    """Events of the search as they happen, the last one ``Answered``; arguments and errors as for :func:`asolve`.

    Closing the stream cancels the search.
    """
    chosen, settings = method_named(method), _settings(config, options)
    answered: Answered | None = None
    async with (
        _models(chosen, generator, reward_model) as (gen, prm),
        aclosing(
            driver.stream(
                problem,
                method=chosen,
                config=settings,
                generator=gen,
                reward_model=prm,
                prompt=prompt,
                checker=checker,
                until=until,
            )
        ) as events,
    ):
        async for event in events:
            if isinstance(event, Answered):
                answered = event
            else:
                yield event
    if answered is not None:  # told when all is closed: whoever stops reading at the answer leaves nothing behind
        yield answered


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _settings(config: SearchConfig | None, options: dict[str, Any]) -> SearchConfig:
    return replace(config or SearchConfig(), **options)


@asynccontextmanager
async def _models(
    method: Method, generator: Generator | None, reward_model: RewardModel | None
) -> AsyncIterator[tuple[Generator, RewardModel | None]]:
    """The given models, or the embedded ones where none is given, closed at the end if they were loaded here."""
    async with AsyncExitStack() as stack:
        if generator is None:
            from epf.generators.registry import load_generator

            generator = await stack.enter_async_context(aclosing(await asyncio.to_thread(load_generator)))
        if reward_model is None and method.needs_reward_model:
            from epf.reward_models.registry import load_reward_model

            reward_model = await stack.enter_async_context(aclosing(await asyncio.to_thread(load_reward_model)))
        yield generator, reward_model
