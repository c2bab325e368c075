"""A whole search by text on every server that is re-enacted: what is found out about it, the steps, the answer, the counts."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from epf import asolve
from epf.core.errors import GeneratorError, InvalidRequest
from epf.core.generator import Message
from epf.engines.http.replicas import Upstream
from epf.generators.chat.generator import ChatGenerator
from epf.generators.openai.discovery import find_model
from epf.generators.servers import load_server
from tests.engines.http.server import Answer, Request, upstream
from tests.fakes import ScriptedRewardModel
from tests.servers.reenacted import N_MARKERS, OPENAI_FIELDS, SERVERS, SOLUTION, Server

PROBLEM = "What is 2 + 3?"


@pytest.mark.parametrize("server", SERVERS.values(), ids=list(SERVERS))
def test_a_search_by_text(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    async def main() -> None:
        async with upstream(server.answer) as running:
            pool = Upstream([running.url], GeneratorError, "the generator")
            served = await find_model(pool, None)
            await pool.aclose()
            assert (served.server, served.context_length) == (server.kind, server.context)
            generator = await asyncio.to_thread(load_server, [f"{running.url}/v1"])
            assert isinstance(generator, ChatGenerator)
            assert generator._continuation.style == server.style
            try:
                method = "epf" if server.style else "best_of_n"
                result = await asolve(
                    PROBLEM, generator=generator, reward_model=ScriptedRewardModel(), n_particles=2, method=method
                )
                assert result.answer == "5"
                (particle, _) = result.particles
                assert [step.text for step in particle.steps] == ["2 + 3 = 5.", "The answer is \\boxed{5}."]
                spelled = b"".join(generator.token_bytes(id_) for step in particle.steps for id_ in step.token_ids)
                assert spelled.decode() == "".join(SOLUTION)
                n_prompt = len(PROBLEM.split(" ")) + N_MARKERS
                assert result.usage.prompt_tokens == (n_prompt if server.usage else 0)
                if server.style is None:
                    with pytest.raises(InvalidRequest, match="continues solutions step by step"):
                        await asolve(PROBLEM, generator=generator, reward_model=ScriptedRewardModel(), method="epf")
                assert generator.prompt_ids([Message("system", "Be brief."), Message("user", PROBLEM)])
            finally:
                await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_the_context_of_a_model_that_is_loaded_later_is_asked_for_again() -> None:
    """Ollama and LM Studio load a model with its first request, and only then know the length of its context."""
    server = SERVERS["Ollama"]
    loaded = False

    def answer(request: Request) -> Answer:
        nonlocal loaded
        loaded = loaded or request.path == "/v1/chat/completions"
        return server.answer(request) if loaded or request.path != "/api/ps" else Answer({"models": []})

    async def main() -> None:
        async with upstream(answer) as running:
            generator = await asyncio.to_thread(load_server, [running.url])
            assert generator.context_length == server.context
            await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("n_thoughts", [0, 50])
def test_a_model_of_openai_that_thinks_is_served_at_temperature_1(n_thoughts: int) -> None:
    """It accepts neither ``max_tokens`` nor another temperature, and may think to its limit."""
    server = replace(SERVERS["OpenAI"], known=OPENAI_FIELDS - {"max_tokens", "logprobs"} | {"max_completion_tokens"})

    def answer(request: Request) -> Answer:
        body = request.body or {}
        if body.get("temperature", 1) != 1:
            message = (
                "Unsupported value: 'temperature' does not support 0.8 with this model. Only the default (1) is supported."
            )
            return Answer({"error": {"message": message, "param": "temperature", "code": "unsupported_value"}}, 400)
        if body.get("max_completion_tokens", 99) < n_thoughts:
            message = "Could not finish the message because max_tokens or model output limit was reached."
            return Answer({"error": {"message": message, "type": "invalid_request_error"}}, 400)
        return server.answer(request)

    async def main() -> None:
        async with upstream(answer) as running:
            generator = await asyncio.to_thread(load_server, [running.url])
            try:
                options: dict[str, Any] = {"method": "self_consistency", "n_particles": 2}
                assert (await asolve(PROBLEM, generator=generator, temperature=1.0, **options)).answer == "5"
                with pytest.raises(InvalidRequest, match=r"does not support 0\.8") as caught:
                    await asolve(PROBLEM, generator=generator, temperature=0.8, **options)
                assert caught.value.param == "temperature"
            finally:
                await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))
