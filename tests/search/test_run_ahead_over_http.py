"""Particles that do not wait give the same results where both models are servers and every answer takes a random time."""

import asyncio
from typing import Any

import numpy as np
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.engines.onnx.pairs import STORIES
from epf.generators.registry import GeneratorOptions
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import SearchResult, asolve
from epf.service.scoring_app import create_scoring_app
from tests.generators.openai.completions_server import completions_app
from tests.search.test_run_ahead import outcome
from tests.service.serving import served

PROBLEM = "There are 45 birds on a wire. 17 fly away, then 5 come back. How many are there?"
LONGEST_S = 0.03
GUARD_S = 120


class Delayed:
    """ASGI middleware: each request waits for a random time, drawn with ``random``; ``n_requests`` counts them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.random = np.random.default_rng(0)
        self.n_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.n_requests += 1
            await asyncio.sleep(LONGEST_S * self.random.random())
        await self.app(scope, receive, send)


@pytest.mark.parametrize("options", [{"method": "pf"}, {"method": "epf", "lookahead": "redraw"}])
def test_no_result_depends_on_running_ahead_or_on_the_time_of_servers(options: dict[str, Any]) -> None:
    async def main() -> None:
        generator = Delayed(completions_app(STORIES.generator, by_ids=True))
        reward_model = Delayed(create_scoring_app(EmbeddedRewardModel(STORIES.reward_model)))
        async with asyncio.timeout(GUARD_S), served(generator) as (host, port), served(reward_model) as (other, its_port):
            served_generator = GeneratorOptions(
                url=f"http://{host}:{port}", tokenizer=STORIES.generator, system_prompt="", kind="openai"
            )

            async def search(run_ahead: bool, seed: int) -> tuple[SearchResult, int]:
                generator.random, reward_model.random = np.random.default_rng(seed), np.random.default_rng(seed + 1)
                before = generator.n_requests
                result = await asolve(
                    PROBLEM,
                    generator=served_generator,
                    reward_model=f"http://{other}:{its_port}",
                    n_particles=8,
                    seed=2,
                    run_ahead=run_ahead,
                    **options,
                )
                return result, generator.n_requests - before

            waiting, n_waiting = await search(False, 0)
            assert waiting.answer is not None
            n_ahead = []
            for seed in range(3):
                ahead, n_requests = await search(True, seed)
                assert outcome(ahead) == outcome(waiting)
                n_ahead.append(n_requests)
            assert max(n_ahead) > n_waiting, "no step began in vain, so no particle ran ahead"

    asyncio.run(main())
