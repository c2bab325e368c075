"""Kinds of servers and the length of their context, from what each of them says of itself in its documentation."""

import asyncio
from typing import Any

import pytest

from epf.core.errors import GeneratorError
from epf.engines.http.kinds import find_kind
from epf.engines.http.replicas import Upstream
from epf.generators.openai.discovery import ServedModel, find_model
from tests.engines.http.server import Answer, Request, upstream

MODEL = {"object": "model", "created": 1}
SMOLLM = {"id": "smollm2.gguf", "owned_by": "llamacpp", "meta": {"vocab_type": 2, "n_vocab": 49152, "n_ctx_train": 8192}}
PROPS = {"default_generation_settings": {"id": 0, "params": {}, "n_ctx": 4096}, "total_slots": 4, "chat_template": "..."}
QWEN = "Qwen/Qwen2.5-0.5B-Instruct"
LM_STUDIO = {"id": "qwen", "type": "llm", "compatibility_type": "gguf", "state": "loaded", "max_context_length": 32768}
TGI_INFO = {"model_id": QWEN, "max_input_tokens": 4095, "max_total_tokens": 4096, "router": "text-generation-router"}

Routes = dict[str, Any]


def served(listing: dict[str, Any], **routes: Any) -> Routes:
    return {"/v1/models": {"object": "list", "data": [MODEL | listing]}} | {f"/{path}": a for path, a in routes.items()}


SERVERS: dict[str, tuple[Routes, ServedModel]] = {
    "vLLM": (
        served({"id": "math", "owned_by": "vllm", "root": QWEN, "parent": None, "max_model_len": 2048}),
        ServedModel("math", 2048, "vllm", QWEN),
    ),
    "vLLM behind a gateway": (
        served({"id": QWEN, "owned_by": "us", "max_model_len": 2048}, version={"version": "0.11.0"}),
        ServedModel(QWEN, 2048, "vllm"),
    ),
    "SGLang": (
        served({"id": QWEN, "owned_by": "sglang", "root": QWEN, "max_model_len": 32768}),
        ServedModel(QWEN, 32768, "sglang", QWEN),
    ),
    "an older SGLang": (
        served(
            {"id": QWEN, "owned_by": "us"},
            get_model_info={"model_path": QWEN, "tokenizer_path": QWEN, "is_generation": True},
            get_server_info={"model_path": QWEN, "context_length": None, "max_req_input_len": 32762},
        ),
        ServedModel(QWEN, 32762, "sglang"),
    ),
    "llama.cpp": (
        served(SMOLLM | {"meta": {"n_ctx": 4096, "n_ctx_train": 8192}}),
        ServedModel("smollm2.gguf", 4096, "llama.cpp"),
    ),
    "an older llama.cpp": (served(SMOLLM, props=PROPS), ServedModel("smollm2.gguf", 4096, "llama.cpp")),
    "llama.cpp behind a gateway": (
        served(SMOLLM | {"owned_by": "us"}, props=PROPS),
        ServedModel("smollm2.gguf", 4096, "llama.cpp"),
    ),
    "Ollama": (
        served({"id": "qwen:0.5b", "owned_by": "library"})
        | {"/api/ps": {"models": [{"name": "qwen:0.5b", "model": "qwen:0.5b", "context_length": 8192}]}},
        ServedModel("qwen:0.5b", 8192, "ollama"),
    ),
    "Ollama without a loaded model": (
        served({"id": "qwen:0.5b", "owned_by": "library"})
        | {"/api/ps": {"models": []}, "/api/show": {"parameters": 'num_ctx    2048\nstop    "<|im_end|>"', "model_info": {}}},
        ServedModel("qwen:0.5b", 2048, "ollama"),
    ),
    "an Ollama that says nothing of its context": (
        served({"id": "qwen:0.5b", "owned_by": "us"}) | {"/api/version": {"version": "0.12.6"}},
        ServedModel("qwen:0.5b", None, "ollama"),
    ),
    "LM Studio": (
        served({"id": "qwen", "owned_by": "organization_owner"})
        | {"/api/v0/models": {"data": [LM_STUDIO | {"loaded_context_length": 4096}]}},
        ServedModel("qwen", 4096, "lm_studio"),
    ),
    "LM Studio that loads the model later": (
        served({"id": "qwen", "owned_by": "us"}) | {"/api/v0/models": {"data": [LM_STUDIO | {"state": "not-loaded"}]}},
        ServedModel("qwen", None, "lm_studio"),
    ),
    "TGI": (served({"id": QWEN, "owned_by": QWEN}, info=TGI_INFO), ServedModel(QWEN, 4096, "tgi")),
    "OpenAI": (served({"id": "gpt-4o", "owned_by": "system"}), ServedModel("gpt-4o", None, "openai")),
    "any other": (served({"id": "tiny"}), ServedModel("tiny", None, "other")),
    "a gateway with a length": (served({"id": "tiny", "context_length": 77}), ServedModel("tiny", 77, "other")),
}


@pytest.mark.parametrize(("routes", "expected"), SERVERS.values(), ids=list(SERVERS))
@pytest.mark.parametrize("missing", [404, 401, 500])
def test_a_server_is_known_by_what_it_says(routes: Routes, expected: ServedModel, missing: int) -> None:
    def answer(request: Request) -> Answer:
        return Answer(routes[request.path]) if request.path in routes else Answer({"error": "no"}, missing)

    async def main() -> ServedModel:
        async with upstream(answer) as server:
            pool = Upstream([server.url], GeneratorError, "the generator")
            try:
                return await find_model(pool, None)
            finally:
                await pool.aclose()

    assert asyncio.run(asyncio.wait_for(main(), 30)) == expected


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://us.openai.azure.com/openai/v1", "azure"),
        ("https://us.services.ai.azure.com/openai/v1", "azure"),
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com", "openai"),
    ],
)
def test_a_hosted_service_is_known_by_its_address_and_asked_nothing(url: str, kind: str) -> None:
    async def main() -> str:
        pool = Upstream([url], GeneratorError, "the generator")
        try:
            return await find_kind(pool, "")
        finally:
            await pool.aclose()

    assert asyncio.run(main()) == kind
