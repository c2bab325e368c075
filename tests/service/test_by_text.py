"""A service whose generator's server is asked by text, over real sockets on both sides: what is served, counted and refused."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from epf.core.errors import InvalidRequest
from epf.generators.servers import load_server
from epf.service.app import create_app
from epf.service.searches.models import open_service_models
from epf.service.settings import Settings
from tests.engines.http.server import Answer, Request, Upstreams, upstream
from tests.servers.chat_quirks import delta
from tests.servers.quirks import sse
from tests.service.serving import client_of, served

PIECES = ("2 + 3", " = 5.", "\n\n", "The answer is \\boxed{5}.")
N_PROMPT = 12
CHAT = {"model": "self-consistency-4", "messages": [{"role": "user", "content": "2 + 3?"}]}


def chats(request: Request) -> Answer:
    """A server like OpenAI's: it never continues, counts, and returns no log probabilities."""
    if request.path == "/v1/models":
        return Answer({"data": [{"id": "big", "owned_by": "system"}]})
    turns = request.body["messages"]
    usage = {"choices": [], "usage": {"prompt_tokens": N_PROMPT + 5 * (len(turns) - 1), "completion_tokens": 5}}
    return Answer(sse(*map(delta, PIECES), delta("", "stop"), usage))


def always(answer: Answer, _: Request) -> Answer:
    return answer


def run(test: Callable[[httpx.AsyncClient, Upstreams], Awaitable[None]]) -> None:
    async def main() -> None:
        async with upstream(chats) as server:
            generator = await asyncio.to_thread(load_server, [server.url])
            del server.requests[:]
            try:
                async with client_of(create_app(generator)) as client:
                    await test(client, server)
            finally:
                await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_whole_solutions_are_sampled_with_one_request_each_and_read_step_by_step() -> None:
    async def test(client: httpx.AsyncClient, server: Upstreams) -> None:
        body = {"problem": "2 + 3?", "n_particles": 3, "seed": 1, "return_particles": True}
        result = (await client.post("/solve", json=body)).json()
        assert (result["method"], result["answer"]) == ("self_consistency", "5")
        assert [step["text"] for step in result["particles"][0]["steps"]] == ["2 + 3 = 5.", "The answer is \\boxed{5}."]
        assert len(server.requests) == 3
        assert result["usage"]["prompt_tokens"] == N_PROMPT
        assert result["usage"]["generated_tokens"] == 15

    run(test)


def test_only_methods_that_the_server_can_serve_are_listed_and_others_are_refused_with_the_reason() -> None:
    async def test(client: httpx.AsyncClient, server: Upstreams) -> None:
        names = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
        assert {name.rstrip("0123456789").rstrip("-") for name in names} == {"big", "self-consistency"}
        for path, body, param in (
            ("/solve", {"problem": "2 + 3?", "method": "ipf", "stream": True}, "method"),
            ("/solve/batch", {"problems": [{"problem": "2 + 3?", "method": "ipf"}]}, "problems.0.method"),
            ("/v1/chat/completions", CHAT | {"model": "ipf"}, "model"),
        ):
            refused = await client.post(path, json=body)
            assert refused.status_code == (404 if param == "model" else 400), path
            error = refused.json()["error"]
            assert error["param"] == param
            assert "'ipf' continues solutions step by step, which the generator's server does not offer" in error["message"]
            assert "choose self_consistency or sample (see docs/servers.md)" in error["message"], "there is no reward model"

    run(test)


def test_a_default_method_that_the_server_cannot_serve_is_refused_at_start() -> None:
    async def main() -> None:
        async with upstream(chats) as server:
            settings = Settings(generator={"kind": "openai", "url": server.url}, search={"method": "ipf"})
            with pytest.raises(InvalidRequest, match="'ipf' continues solutions step by step"):
                async with open_service_models(settings):
                    pass

    asyncio.run(asyncio.wait_for(main(), 60))


REFUSALS = [(400, "false", 2), (401, "false", 1), (429, "true", 1), (500, "true", 4)]
"""Status of the generator's server, whether a client should send its request again, and how often the server is asked.

After 400, the server is asked once more without the fields that OpenAI's API lacks. After 429, it wants to be asked after the
deadline, so that it is not asked again.
"""


def refusal(status: int) -> Answer:
    return Answer({"error": {"message": "Not now, ask Ann."}}, status, {"retry-after": "1000"} if status == 429 else {})


def test_a_refusal_of_the_generators_server_says_whether_to_send_the_request_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)

    async def test(client: httpx.AsyncClient, server: Upstreams) -> None:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
        for status, should_retry, n_tries in REFUSALS:
            del server.requests[:]
            server.answer = partial(always, refusal(status))
            response = await client.post("/v1/chat/completions", json=CHAT | {"model": "big"})
            assert (response.status_code, response.headers["x-should-retry"]) == (502, should_retry)
            assert "Not now, ask Ann." in response.json()["error"]["message"]
            assert len(server.requests) == n_tries

    run(test)


@pytest.mark.slow
@pytest.mark.parametrize(("status", "should_retry", "_n_tries"), REFUSALS)
def test_the_openai_client_tries_again_only_where_that_may_help(
    status: int, should_retry: str, _n_tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai: Any = pytest.importorskip("openai", reason="needs the openai client")
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)

    async def main() -> None:
        async with upstream(chats) as server:
            generator = await asyncio.to_thread(load_server, [server.url])
            asked: list[str] = []
            app = create_app(generator)

            async def counting(scope: Any, receive: Any, send: Any) -> None:
                asked.append(scope.get("path", ""))
                await app(scope, receive, send)

            async with served(counting) as (host, port):
                client = openai.AsyncOpenAI(base_url=f"http://{host}:{port}/v1", api_key="none", max_retries=2)
                await client.chat.completions.create(**CHAT)
                del asked[:]
                server.answer = partial(always, refusal(status))
                with pytest.raises(openai.APIStatusError, match="ask Ann"):
                    await client.chat.completions.create(**CHAT | {"model": "big"})
                assert len(asked) == (3 if should_retry == "true" else 1)
                await client.close()
            await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))
