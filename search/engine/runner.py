"""One search from problem to result, as a coroutine or as a stream of events."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Generator, Message
from epf.core.merge import merge
from epf.core.reward_model import RewardModel
from epf.search.answers.equality import AnswerChecker
from epf.search.engine.deadline import Deadline
from epf.search.engine.search_run import Run
from epf.search.engine.select_answer import conclude
from epf.search.engine.usage_meter import Ledger
from epf.search.events import Answered, Event, Started
from epf.search.methods.method import Method
from epf.search.options import SearchConfig
from epf.search.result import SearchResult
from epf.search.validation import check_problem

SEED_BITS = 53
"""A seed that the search draws itself is exact in JSON."""


async def search(
    problem: str,
    *,
    method: Method,
    config: SearchConfig,
    generator: Generator,
    reward_model: RewardModel | None,
    prompt: Sequence[Message] | None = None,
    checker: AnswerChecker | None = None,
    until: Deadline | None = None,
    emit: Callable[[Event], None] = lambda event: None,
) -> SearchResult:
    """Solve ``problem``. Cancelling the call cancels every upstream call.

    ``prompt`` is the conversation that the generator goes on with, None the problem as one message of the user; the reward
    model judges by ``problem`` alone.
    ``checker`` groups equal answers; None starts one for this search. ``until`` ends it as ``max_seconds`` does, if earlier.
    ``emit`` receives each event as it happens, the last one ``Answered``.

    Raises:
        InvalidRequest: an empty problem, a prompt too long for the generator, or no reward model where the method needs one.
        GeneratorError, RewardModelError: a model failed or answered nonsense.
        SearchFailed, DeadlineExceeded: there is nothing to answer from.
    """
    check_problem(problem)
    if method.needs_reward_model and reward_model is None:
        raise InvalidRequest(f"reward_model must be given: method {method.name!r} needs one", param="reward_model")
    loop = asyncio.get_running_loop()
    ledger = Ledger(loop.time)
    config = method.configured(config)
    seed = secrets.randbits(SEED_BITS) if config.seed is None else config.seed
    deadline_s = None if config.max_seconds is None else loop.time() + config.max_seconds
    prompt_ids = _prompt_ids(generator, prompt or (Message("user", problem),))
    emit(Started(method.name, config.n_particles, seed, len(prompt_ids)))

    run = Run(problem, prompt_ids, generator, reward_model, config, seed, ledger, deadline_s, until or Deadline(), emit)
    outcome = await method.run(run)
    asking = checker or AnswerChecker()
    try:
        result = await conclude(outcome, run, asking, method=method.name, seed=seed, prompt_tokens=len(prompt_ids))
    finally:
        if asking is not checker:
            await asking.aclose()
    emit(Answered(result))
    return result


def stream(
    problem: str,
    *,
    method: Method,
    config: SearchConfig,
    generator: Generator,
    reward_model: RewardModel | None,
    prompt: Sequence[Message] | None = None,
    checker: AnswerChecker | None = None,
    until: Deadline | None = None,
) -> AsyncGenerator[Event, None]:
    """Events of :func:`search` as they happen, then its error if it has one. Closing the stream cancels the search."""

    def run(emit: Callable[[Event], None]) -> Coroutine[Any, Any, SearchResult]:
        return search(
            problem,
            method=method,
            config=config,
            generator=generator,
            reward_model=reward_model,
            prompt=prompt,
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
