"""One search in one call: from a notebook, from a coroutine, or event by event."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

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

if TYPE_CHECKING:
    from epf.generators.registry import GeneratorOptions
    from epf.search.pair import GivenRewardModel

_Given: TypeAlias = (
    "tuple[Generator | GeneratorOptions | Path | str | None, GivenRewardModel | Sequence[GivenRewardModel] | None, "
    "str | Path | None, str | None]"
)
"""Generator, reward model, tokenizer and family, as callers pass them."""


def solve(
    problem: str,
    *,
    options: SearchOptions | None = None,
    generator: "Generator | GeneratorOptions | Path | str | None" = None,
    reward_model: "GivenRewardModel | Sequence[GivenRewardModel] | None" = None,
    family: str | None = None,
    tokenizer: str | Path | None = None,
    confidence: ConfidenceMap | None = None,
    **choices: Any,
) -> SearchResult:
    """Solve ``problem`` and wait for the result, even where an event loop is already running, as in a notebook.

    ``options`` holds the method and the other options of the search. Single options may be given by name and win over it, as
    in ``solve(text, method="pf", n_particles=8)``; see :class:`SearchOptions` for all of them. Environment variables are not
    read.

    ``generator`` is ``"http://localhost:8001"`` or the address of another server (several with commas between them), a
    directory or a name on the hub for vLLM in this process, or ``"embedded"``, the default. ``reward_model`` is the same, or
    ``"none"``, or a list of reward models whose odds are multiplied (:mod:`epf.reward_models.product`). Such a model is
    loaded for this call and freed afterwards; :class:`GeneratorOptions` and :class:`epf.RewardModelOptions` set a key and
    more. A model object that you pass must not be tied to an event loop, since this call runs its own. Only the embedded
    generator has a reward model without being given one; without any, the method is ``self_consistency`` unless you choose
    another. ``tokenizer`` is the directory or hub name of the generator's tokenizer, ``family`` that of the reward model's
    prompts (see docs/models.md). ``confidence`` is a map that ``epf calibrate`` fitted for these models, read with
    :func:`epf.search.confidence.file.load_map`; the embedded pair has one of its own.

    Raises what :func:`asolve` raises.
    """

    def work() -> SearchResult:
        return asyncio.run(
            asolve(
                problem,
                options=options,
                generator=generator,
                reward_model=reward_model,
                family=family,
                tokenizer=tokenizer,
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
    generator: "Generator | GeneratorOptions | Path | str | None" = None,
    reward_model: "GivenRewardModel | Sequence[GivenRewardModel] | None" = None,
    family: str | None = None,
    tokenizer: str | Path | None = None,
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
    request, models, learned = _request(problem, options, choices, prompt, (generator, reward_model, tokenizer, family))
    async with models as (gen, prm):
        return await runner.search(
            request, generator=gen, reward_model=prm, checker=checker, confidence=confidence or learned, until=until
        )


async def stream(
    problem: str,
    *,
    options: SearchOptions | None = None,
    generator: "Generator | GeneratorOptions | Path | str | None" = None,
    reward_model: "GivenRewardModel | Sequence[GivenRewardModel] | None" = None,
    family: str | None = None,
    tokenizer: str | Path | None = None,
    prompt: Sequence[Message] = (),
    checker: AnswerChecker | None = None,
    confidence: ConfidenceMap | None = None,
    until: TimeLimit | None = None,
    **choices: Any,
) -> AsyncGenerator[Event, None]:
    """Yield the events of the search as they happen, ``Answered`` last; arguments and errors are those of :func:`asolve`.

    Closing the stream cancels the search.
    """
    request, models, learned = _request(problem, options, choices, prompt, (generator, reward_model, tokenizer, family))
    answered: Answered | None = None
    async with (
        models as (gen, prm),
        aclosing(
            runner.stream(
                request, generator=gen, reward_model=prm, checker=checker, confidence=confidence or learned, until=until
            )
        ) as events,
    ):
        async for event in events:
            if isinstance(event, Answered):
                answered = event
            else:
                yield event
    if answered is not None:  # only once everything is closed, so that a reader who stops at the answer leaves nothing open
        yield answered


def _request(
    problem: str, options: SearchOptions | None, choices: dict[str, Any], prompt: Sequence[Message], given: "_Given"
) -> tuple[SearchRequest, AbstractAsyncContextManager[tuple[Generator, RewardModel | None]], ConfidenceMap | None]:
    """The search, the models to open for it, and the confidence map of the profile that ships for them, if one does."""
    from epf.search.pair import named_pair
    from epf.search.profile.shipped import shipped_profile

    generator, reward_model, tokenizer, family = given
    models = named_pair(generator, reward_model, tokenizer=tokenizer, family=family)
    chosen = {**({} if options is None else options.chosen()), **choices}
    profile = shipped_profile(models)
    resolved = runner.with_defaults(chosen, SearchOptions(), has_reward_model=models.has_reward_model, profile=profile)
    request = resolve_request(problem, resolved, prompt=tuple(prompt))
    runner.check_scored(request.method, models.has_reward_model)
    learned = None if profile is None else profile.confidence
    return request, models.open(scored=request.method.needs_reward_model), learned


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
