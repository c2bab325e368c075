"""The generator by text behind the real ``vllm serve``, with the embedded generator's own weights in float32 on the CPU."""

import asyncio

import httpx
import pytest

from epf.core.errors import GeneratorError
from epf.core.generator import Message, Sampling
from epf.engines.http.dialect import Dialect
from epf.engines.http.replicas import Upstream
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.chat.continuing import Continuation
from epf.generators.chat.generator import ChatGenerator
from epf.generators.chat.request import FIELDS
from epf.generators.chat.sampler import ask_for_continuation
from epf.generators.openai.discovery import find_model
from tests.vllm.serve import VllmServer

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

TOKENIZER = ChatTokenizer(STORIES.generator)
PROBLEMS = [f"There are {n + 20} birds on a wire. {n} fly away. Then 3 more come. How many birds are left?" for n in range(20)]


def test_greedy_steps_by_text_are_one_completion_and_its_counts(servers: tuple[VllmServer, VllmServer]) -> None:
    url = servers[0].url

    async def main() -> None:
        dialect = Dialect("the generator", FIELDS)
        pool = Upstream([url], GeneratorError, "the generator")
        model = await find_model(pool, None)
        how = await ask_for_continuation(pool, model, dialect)
        assert how == Continuation(
            "flags", strips=False, repeats=False, counts=True, log_probs=True, reads_system=how.reads_system
        )
        generator = ChatGenerator(pool, model, how, dialect)
        async with httpx.AsyncClient(timeout=60) as client:
            for problem in PROBLEMS:
                ids = prompt = generator.prompt_ids([Message("user", problem)])
                finish, written, n_steps = "", "", 0
                while finish != "eos" and n_steps < 12:
                    step = await generator.step(ids, Sampling(temperature=0, max_tokens=60), 0)
                    if ids == prompt:
                        assert step.prompt_tokens == len(TOKENIZER.render([Message("user", problem)]))
                    ids, finish, n_steps = (*ids, *step.token_ids), step.finish, n_steps + 1
                    written += step.text + "\n\n" * (finish == "separator") + step.rest
                body = {
                    "model": "served",
                    "messages": [{"role": "user", "content": problem}],
                    "temperature": 0,
                    "max_tokens": 200,
                }
                response = (await client.post(f"{url}/v1/chat/completions", json=body)).json()
                assert (written, n_steps > 1) == (response["choices"][0]["message"]["content"], True)
                n_sampled = len(ids) - len(prompt)
                assert n_sampled in (response["usage"]["completion_tokens"], response["usage"]["completion_tokens"] - 1)
        await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 300))
