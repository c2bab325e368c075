"""The service inside vLLM's own server: ``VLLM_PLUGINS=epf vllm serve``, on real sockets."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from epf.core.errors import GeneratorError
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.generator import OpenAiGenerator
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.search import asolve
from tests.service.serving import events_of
from tests.vllm.serve import RUNNING, VllmServer, vllm_servers

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

KEY = "secret-of-the-server"
PROBLEM = "There are 45 birds on a wire. 17 fly away. Then 3 more come. How many birds are on the wire?"
OPTIONS: dict[str, Any] = {"n_particles": 8, "seed": 5}
HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def server() -> Iterator[VllmServer]:
    environment = {"VLLM_PLUGINS": "epf", "EPF_REWARD_MODEL": "stories", "EPF_MAX_PARTICLES": "64"}
    found = VllmServer(STORIES.generator, "--api-key", KEY, environment=environment)
    with vllm_servers(found):
        yield found


def run(server: VllmServer, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=HEADERS, timeout=60) as client:
            await test(client)

    asyncio.run(asyncio.wait_for(main(), 120))


def chat(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": PROBLEM}], "seed": 5, **fields}


def test_a_problem_is_solved_as_by_the_service_in_front_of_the_server(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = (await client.post("/solve", json={"problem": PROBLEM, "return_particles": True, **OPTIONS})).json()
        upstream = Upstream([server.url], GeneratorError, "the generator", api_key=KEY)
        generator = OpenAiGenerator(upstream, ChatTokenizer(STORIES.generator), "served", 512)
        reward_model = EmbeddedRewardModel(STORIES.reward_model)
        try:
            expected = await asolve(PROBLEM, generator=generator, reward_model=reward_model, **OPTIONS)
        finally:
            await generator.aclose()
            await reward_model.aclose()
        assert body["answer"] == expected.answer is not None
        assert body["solution"] == expected.solution
        texts = [[step["text"] for step in particle["steps"]] for particle in body["particles"]]
        assert texts == [[step.text for step in particle.steps] for particle in expected.particles]
        assert [record["ess"] for record in body["steps"]] == pytest.approx([record.ess for record in expected.steps])

    run(server, test)


def test_a_search_is_streamed(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        stream = await client.post("/solve", json={"problem": PROBLEM, "stream": True, **OPTIONS})
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert events_of(stream.text)[-1]["result"]["answer"] is not None

    run(server, test)


def test_chats_with_the_name_of_a_method_are_searches_and_all_others_are_vllm_s(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        searched = (await client.post("/v1/chat/completions", json=chat("epf-8"))).json()
        assert searched["choices"][0]["search"]["method"] == "epf"
        plain = (await client.post("/v1/chat/completions", json=chat("served", max_tokens=5))).json()
        assert plain["usage"]["completion_tokens"] == 5
        assert "search" not in plain["choices"][0]
        streamed = (await client.post("/v1/chat/completions", json=chat("served", max_tokens=5, stream=True))).text
        assert streamed.rstrip().endswith("data: [DONE]")
        unknown = await client.post("/v1/chat/completions", json=chat("nobody"))
        assert unknown.status_code == 404
        broken = await client.post("/v1/chat/completions", content=b"{", headers={"Content-Type": "application/json"})
        assert 400 <= broken.status_code < 500

    run(server, test)


def test_the_list_of_models_has_the_server_s_own_and_the_methods(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        names = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
        assert names[0] == "served"
        assert {"epf", "epf-8", "best-of-n"} <= set(names)
        assert len(names) == len(set(names))

    run(server, test)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/solve"), ("POST", "/score"), ("POST", "/v1/chat/completions"), ("GET", "/v1/models")]
)
def test_the_keys_are_those_of_the_server(server: VllmServer, method: str, path: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = chat("epf-2") if "chat" in path else {"problem": PROBLEM, "steps": ["45 - 17 = 28."]}
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
            answer = await client.request(method, path, json=body if method == "POST" else None, headers=headers)
            assert answer.status_code == 401

    run(server, test)


def test_steps_are_scored(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        scored = (await client.post("/score", json={"problem": PROBLEM, "steps": ["45 - 17 = 28."]})).json()
        assert scored["model"] == "stories-reward-model"
        assert len(scored["scores"]) == 1

    run(server, test)


def test_a_client_that_leaves_ends_its_search_in_the_engine(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        long = {"problem": PROBLEM, "stream": True, "n_particles": 64, "temperature": 2.0, "separator": "", "stop": []}
        async with client.stream("POST", "/solve", json=long) as stream:
            assert stream.status_code == 200
            await server.until(RUNNING, 1)
        await server.until(RUNNING, 0)

    run(server, test)


def test_metrics_of_searches_are_on_the_server_s_page(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await client.post("/solve", json={"problem": PROBLEM, **OPTIONS})
        text = (await client.get("/metrics")).text
        assert re.search(r"^vllm:num_requests_running", text, re.MULTILINE)
        assert re.search(r"^epf_tokens_total{.*generated.*} [1-9]", text, re.MULTILINE)
        assert len(re.findall(r"^# HELP process_cpu_seconds_total", text, re.MULTILINE)) == 1

    run(server, test)


def test_the_page_that_shows_a_search_is_there(server: VllmServer) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        page = await client.get("/", headers={"Authorization": "", "Accept": "text/html"})
        assert page.status_code == 200
        assert "<html" in page.text

    run(server, test)
