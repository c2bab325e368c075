"""What a search is charged: every token of its usage, whoever took it."""

import asyncio
from typing import Any

from epf.core.generator import Step
from epf.search import SearchResult, asolve
from epf.search.events import Answered
from epf.search.options import SearchOptions
from epf.search.runner import resolve_request, stream
from epf.service.searches.charging import charging
from tests.search.scripted import Call, RewardModel, drive, solution
from tests.search.test_run_ahead import AheadGenerator, fickle


def test_tokens_of_steps_that_nobody_took_are_charged_with_the_result() -> None:
    async def write(call: Call) -> Step:
        if call.sampling.on_tokens is not None:
            call.sampling.on_tokens(5)
            await asyncio.sleep(0)
        return solution(6)(call)

    models: Any = {"generator": AheadGenerator(write), "reward_model": RewardModel(fickle)}

    async def search() -> tuple[SearchResult, int]:
        charges: list[int] = []
        with charging(lambda event: None, charges.append) as charged:
            async for event in stream(resolve_request("problem", SearchOptions(n_particles=8, seed=3)), **models):
                charged(event)
        assert isinstance(event, Answered)
        return event.result, sum(charges)

    result, charged = drive(search())
    waiting = drive(asolve("problem", n_particles=8, seed=3, run_ahead=False, **models))
    assert result.usage.generated_tokens > waiting.usage.generated_tokens
    assert charged == result.usage.prompt_tokens + result.usage.generated_tokens
