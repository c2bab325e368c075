"""Every method that needs no reward model, and methods with the model as its own judge."""

import asyncio
from typing import Any

import pytest

from epf import asolve
from epf.generators.registry import GeneratorOptions, load_generator
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from epf.search.methods import METHODS
from epf.search.result import SearchResult
from tests.real.model import MODEL, Server

pytest.importorskip("vllm", reason="needs vLLM: make test-real")

PROBLEM = "Tom has 12 apples. He buys 7 more. How many apples does he have? End with: The answer is NUMBER."
SHORT: dict[str, Any] = {"max_steps": 3, "max_tokens_per_step": 40, "seed": 3}
UNSCORED = sorted(name for name, method in METHODS.items() if not method.needs_reward_model)


def searched(server: Server, family: str | None = None, **options: Any) -> SearchResult:
    generator = load_generator(GeneratorOptions(kind="openai", url=server.url, tokenizer=MODEL))
    judge = RewardModelOptions(kind="http", url=server.url, name=server.model, family=family) if family else None
    reward_model = load_reward_model(judge) if judge else "none"

    async def main() -> SearchResult:
        try:
            return await asolve(PROBLEM, generator=generator, reward_model=reward_model, **SHORT | options)
        finally:
            await generator.aclose()
            if not isinstance(reward_model, str):
                await reward_model.aclose()

    return asyncio.run(main())


def test_some_methods_need_no_reward_model() -> None:
    assert UNSCORED == ["ipf", "sample", "self_consistency"]


@pytest.mark.parametrize("method", UNSCORED)
def test_methods_without_a_reward_model_search(vllm_server: Server, method: str) -> None:
    n = 1 if method == "sample" else 4
    options: dict[str, Any] = {} if method == "sample" else {"n_particles": n}
    result = searched(vllm_server, method=method, **options)
    assert result.solution.strip()
    assert 1 <= len(result.particles) <= n
    tokens = sum(len(step.token_ids) for particle in result.particles for step in particle.steps)
    assert result.usage.generated_tokens == tokens + result.usage.discarded_tokens
    assert result.usage.prm_calls == 0


@pytest.mark.parametrize(("method", "family"), [("best_of_n", "judge"), ("epf", "judge-direct")])
def test_the_model_judges_its_own_steps(vllm_server: Server, method: str, family: str) -> None:
    result = searched(vllm_server, family, method=method, n_particles=2)
    scores = [score for particle in result.particles for score in particle.scores]
    assert scores
    assert all(0 <= score <= 1 for score in scores)
    assert result.usage.prm_calls >= len(result.particles) > 0
