"""Reward models that answer with one token, and judges, on servers of a real model, which cannot count."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from epf.core.reward_model import RewardModel
from epf.reward_models import judge
from epf.reward_models.by_text import TextRewardModel
from epf.reward_models.families.by_text import TEXT_FAMILIES
from epf.reward_models.probe import PROBLEM, RIGHT, WRONG
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from tests.real.model import MODEL, Server

pytest.importorskip("vllm", reason="needs vLLM: make test-real")

T = TypeVar("T")

TRACES = (RIGHT[:1], RIGHT, WRONG, ("Über 🎉 und `x = [1, 2]`.", "So -3 + 4 = 1."))


TOLERANCE = {"vllm": 1e-3, "llama.cpp": 0.05}
"""By how much a score depends on what of its prompt the server had in its cache; llama.cpp computes with quantized weights."""


def scored(server: Server, family: str, tokenizer: Path | None = None) -> list[float]:
    """Scores of all traces."""
    return run(server, family, lambda reward_model: _score_all(reward_model), tokenizer)


def run(server: Server, family: str, test: Callable[[RewardModel], Awaitable[T]], tokenizer: Path | None = None) -> T:
    options = RewardModelOptions(
        kind="http", url=server.url, name=server.model, family=family, tokenizer=tokenizer, timeout_s=300
    )
    reward_model = load_reward_model(options)

    async def main() -> T:
        try:
            return await test(reward_model)
        finally:
            await reward_model.aclose()

    return asyncio.run(main())


async def _score_all(reward_model: RewardModel) -> list[float]:
    return [(await reward_model.score(PROBLEM, trace)).probability for trace in TRACES]


def test_by_text_and_by_ids_the_scores_are_the_same(server: Server) -> None:
    """RLHFlow's is the family whose tokens this vocabulary has; the conversation is written by the model's own template."""
    by_text = scored(server, "rlhflow")
    assert by_text == pytest.approx(scored(server, "rlhflow", MODEL), abs=TOLERANCE[server.kind])
    assert len(set(by_text)) == len(TRACES)


@pytest.mark.parametrize("family", sorted(TEXT_FAMILIES))
def test_every_family_that_takes_text_scores_on_llama_cpp(llama_server: Server, family: str) -> None:
    async def test(reward_model: RewardModel) -> list[float]:
        assert isinstance(reward_model, TextRewardModel)
        await reward_model.ready()
        return [(await reward_model.score(PROBLEM, trace)).probability for trace in (RIGHT, WRONG)]

    assert all(0 < score < 1 for score in run(llama_server, family, test))


def test_a_direct_judge_s_score_is_the_share_of_yes(server: Server) -> None:
    (content,) = [judge.PROMPTS["judge-direct"].replace("{problem}", PROBLEM).replace("{solution}", f"Step 1: {RIGHT[0]}")]
    body = {"model": server.model, "messages": [{"role": "user", "content": content}], "max_tokens": 1, "temperature": 0}
    response = httpx.post(f"{server.url}/v1/chat/completions", json=body | {"logprobs": True, "top_logprobs": 20}, timeout=60)
    top = response.json()["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    mass = {"yes": 0.0, "no": 0.0}
    for token in top:
        word = token["token"].strip().lower()
        if word in mass:
            mass[word] += math.exp(token["logprob"])
    assert scored(server, "judge-direct")[0] == pytest.approx(mass["yes"] / sum(mass.values()), abs=TOLERANCE[server.kind])


def test_a_judge_that_is_cut_short_is_asked_for_one_word(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(judge, "MAX_TOKENS", 16)
    scores = scored(server, "judge")
    assert all(0 < score < 1 for score in scores)
    assert 0.5 not in scores
    assert "no verdict" not in caplog.text


def test_a_judge_has_the_room_that_the_context_leaves(server: Server) -> None:
    """Its usual 8192 tokens are more than this context has."""

    async def test(reward_model: RewardModel) -> tuple[float, int]:
        score = await reward_model.score(PROBLEM, RIGHT)
        return score.probability, score.n_tokens

    probability, n_tokens = run(server, "judge", test)
    assert 0 <= probability <= 1
    assert 100 < n_tokens < 2 * 2048
