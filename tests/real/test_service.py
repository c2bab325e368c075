"""The whole service in front of a real model, on each of its servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from epf.generators.registry import GeneratorOptions
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.real.model import MODEL, Server
from tests.service.responses.asking import events_of as response_events
from tests.service.responses.asking import text_of
from tests.service.serving import events_of, posted, served

pytest.importorskip("vllm", reason="needs vLLM: make test-real")

GUARD_S = 300
PROBLEM = "Name three fruits, one per line, each with its emoji."
SHORT: dict[str, Any] = {"n_particles": 2, "max_steps": 3, "max_tokens_per_step": 24, "seed": 7}
MESSAGES = [{"role": "system", "content": "You answer in one sentence."}, {"role": "user", "content": "What is a 🐍?"}]
LONG: dict[str, Any] = {"problem": PROBLEM, "n_particles": 6, "temperature": 2.0, "separator": "", "max_tokens_per_step": 1000}
"""A search that goes on for minutes."""


@asynccontextmanager
async def service(server: Server) -> AsyncIterator[tuple[tuple[str, int], httpx.AsyncClient]]:
    """Address of a service with the model as its generator, and a client of it."""
    generator = GeneratorOptions(kind="openai", url=server.url, tokenizer=MODEL)
    async with (
        served(create_app(settings=Settings(generator=generator))) as address,
        httpx.AsyncClient(base_url="http://{}:{}".format(*address), timeout=GUARD_S) as client,
    ):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)
        yield address, client


def run(server: Server, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with service(server) as (_, client):
            await test(client)

    asyncio.run(asyncio.wait_for(main(), GUARD_S))


async def answered(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def plain_model(client: httpx.AsyncClient) -> str:
    """Name of the generator without a search, as the service lists it."""
    names = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
    (name,) = (name for name in names if "SmolLM2" in name)
    return str(name)


def n_prompt_tokens(messages: list[dict[str, str]]) -> int:
    """Number of tokens of a conversation by transformers, which shares no code with ours."""
    from transformers import AutoTokenizer

    text = AutoTokenizer.from_pretrained(MODEL).apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return len(AutoTokenizer.from_pretrained(MODEL)(text)["input_ids"])


def test_a_problem_is_solved_in_one_piece_and_as_a_stream(server: Server) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = {"problem": PROBLEM, "temperature": 0.0, "return_particles": True, **SHORT}
        whole = await answered(client, "/solve", body)
        assert whole["method"] == "self_consistency"
        steps = [step for particle in whole["particles"] for step in particle["steps"]]
        assert whole["usage"]["generated_tokens"] == sum(step["n_tokens"] for step in steps) > 0
        *events, last = events_of((await client.post("/solve", json={**body, "stream": True})).text)
        assert last["result"]["solution"] == whole["solution"]
        assert [event["type"] for event in events].count("step") == len(steps)

    run(server, test)


def test_a_plain_chat_is_the_servers_own(server: Server) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        chat = {"messages": MESSAGES, "temperature": 0, "max_tokens": 40}
        async with httpx.AsyncClient(timeout=GUARD_S) as direct:
            theirs = await answered(direct, f"{server.url}/v1/chat/completions", {"model": server.model, **chat})
        ours = await answered(client, "/v1/chat/completions", {"model": await plain_model(client), **chat})
        assert ours["choices"][0]["message"]["content"] == theirs["choices"][0]["message"]["content"]
        assert ours["choices"][0]["finish_reason"] == theirs["choices"][0]["finish_reason"]
        for count in ("prompt_tokens", "completion_tokens"):
            assert ours["usage"][count] == theirs["usage"][count]
        assert ours["usage"]["prompt_tokens"] == n_prompt_tokens(MESSAGES)

    run(server, test)


@pytest.mark.parametrize("prompt", ["The capital of France is", "def fibonacci(n):\n", "List of fruits:\n1.", "🙂 emoji are"])
def test_a_plain_text_is_continued_as_the_server_continues_it(server: Server, prompt: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = {"prompt": prompt, "temperature": 0, "max_tokens": 24}
        async with httpx.AsyncClient(timeout=GUARD_S) as direct:
            theirs = await answered(direct, f"{server.url}/v1/completions", {"model": server.model, **body})
        ours = await answered(client, "/v1/completions", {"model": await plain_model(client), **body})
        for name in ("text", "finish_reason"):
            assert ours["choices"][0][name] == theirs["choices"][0][name]
        for count in ("prompt_tokens", "completion_tokens"):
            assert ours["usage"][count] == theirs["usage"][count]

    run(server, test)


def test_a_chat_streams_what_it_answers_in_one_piece(server: Server) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = {"model": "self-consistency-2", "messages": MESSAGES, "temperature": 0, "max_tokens": 40, "seed": 1}
        whole = await answered(client, "/v1/chat/completions", body)
        streamed = await client.post(
            "/v1/chat/completions", json={**body, "stream": True, "stream_options": {"include_usage": True}}
        )
        chunks = [
            httpx.Response(200, text=line[6:]).json() for line in streamed.text.splitlines() if line.startswith("data: {")
        ]
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        assert "".join(delta.get("content") or "" for delta in deltas) == whole["choices"][0]["message"]["content"]
        assert chunks[-1]["usage"] == whole["usage"]
        assert whole["usage"]["prompt_tokens"] == n_prompt_tokens(MESSAGES)
        assert streamed.text.endswith("data: [DONE]\n\n")

    run(server, test)


@pytest.mark.parametrize("stop", [[], ["Paris", "the"]])
def test_a_plain_sample_is_streamed_as_it_is_sampled(server: Server, stop: list[str]) -> None:
    """In pieces of few tokens: they add up to the whole answer, whose end depends on a stop text."""

    async def test(client: httpx.AsyncClient) -> None:
        chat = {"model": await plain_model(client), "messages": MESSAGES, "temperature": 0, "max_tokens": 40, "stop": stop}
        whole = (await answered(client, "/v1/chat/completions", chat))["choices"][0]["message"]["content"]
        streamed = await client.post("/v1/chat/completions", json={**chat, "stream": True})
        chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
        pieces = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
        assert "".join(filter(None, pieces)) == whole
        assert max(len(piece or "") for piece in pieces) <= max(len(whole) // 3, 16)

    run(server, test)


def test_a_response_is_stored_and_streamed(server: Server) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = {"model": "self-consistency-2", "input": MESSAGES, "temperature": 0, "max_output_tokens": 80}
        whole = await answered(client, "/v1/responses", body)
        assert text_of(whole).strip()
        assert (await client.get(f"/v1/responses/{whole['id']}")).json() == whole
        events = response_events((await client.post("/v1/responses", json={**body, "stream": True})).text)
        assert text_of(events[-1]["response"]) == text_of(whole)
        assert events[-1]["response"]["usage"] == whole["usage"]

    run(server, test)


@pytest.mark.parametrize("leave", ["disconnect", "cancel"])
def test_the_server_runs_nothing_for_a_search_that_is_given_up(server: Server, leave: str) -> None:
    async def main() -> None:
        async with service(server) as (address, client):
            async with posted(address, "/solve", LONG, **{"x_request_id": "given-up"}) as (reader, _):
                await server.until_busy()
                if leave == "cancel":
                    assert (await client.delete("/solve/given-up")).json()["cancelled"] == 1
                    assert await reader.readline()
            await server.until_idle()

    asyncio.run(asyncio.wait_for(main(), GUARD_S))
