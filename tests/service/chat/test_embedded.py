"""Chat with the pair ``stories``."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.service.chat.writing import answer_tokens, chat, completed, failure, serving, streamed, text_of

PROBLEM = "There are 45 birds on a wire. 17 fly away. 4 come back. How many birds are there now?"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(create_app(settings=Settings(generator="stories"))) as client:
        yield client


@pytest.mark.parametrize("model", ["epf-8", "self-consistency-4", "stories-generator"])
def test_the_same_seed_gives_the_same_answer_streamed_or_not(client: httpx.Client, model: str) -> None:
    first, second = (completed(client, PROBLEM, model=model, seed=5)["choices"][0] for _ in range(2))
    chunks = streamed(client, PROBLEM, model=model, seed=5)
    assert first["message"] == second["message"]
    assert text_of(chunks) == first["message"]["content"]
    assert first["search"]["answer"] == second["search"]["answer"]


@pytest.mark.parametrize("fields", [{}, {"stop": "."}, {"stop": "sw"}, {"max_tokens": 7}, {"temperature": 2.0, "seed": 8}])
def test_logprobs_add_up_to_the_text(client: httpx.Client, fields: dict[str, Any]) -> None:
    body = completed(client, PROBLEM, logprobs=True, **fields)
    (choice,) = body["choices"]
    tokens = choice["logprobs"]["content"]
    assert bytes(byte for token in tokens for byte in token["bytes"]).decode() == choice["message"]["content"]
    assert all(-9999 <= token["logprob"] <= 0 for token in tokens)
    assert 0 <= answer_tokens(body["usage"]) - len(tokens) <= 2, "an end token and a separator may follow"


def test_a_limit_of_one_token_is_a_length(client: httpx.Client) -> None:
    body = completed(client, PROBLEM, max_completion_tokens=1)
    assert body["choices"][0]["finish_reason"] == "length"
    assert answer_tokens(body["usage"]) == 1


def test_a_conversation_is_continued(client: httpx.Client) -> None:
    turns = [
        {"role": "system", "content": "Solve it."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "What is it?"},
        {"role": "user", "content": PROBLEM},
    ]
    body = client.post("/v1/chat/completions", json={"model": "epf-4", "messages": turns, "seed": 1}).json()
    alone = completed(client, PROBLEM, model="epf-4", seed=1)
    assert body["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"]


def test_a_full_context_is_refused(client: httpx.Client) -> None:
    assert failure(chat(client, "birds " * 600, stream=True))["code"] == "context_length_exceeded"
