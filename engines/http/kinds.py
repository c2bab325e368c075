"""Kinds of servers, known by what they say of themselves.

Every server with an OpenAI-compatible API lists its models with an owner, which names most kinds. For the others, and behind a
gateway that hides the owner, the routes are asked that only one kind has. Each such request is optional and quick.

Sources: the routes as vLLM, SGLang (``python/sglang/srt/entrypoints``), llama.cpp (``tools/server/README.md``), Ollama
(``docs/api.md``), LM Studio (``/api/v0``) and TGI (``router/src``) document them.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from epf.core.errors import SearchServiceError
from epf.engines.http.address import is_azure
from epf.engines.http.replicas import Upstream

ServerKind = Literal["vllm", "sglang", "llama.cpp", "ollama", "lm_studio", "tgi", "azure", "openai", "other"]

NAMES: Final[dict[ServerKind, str]] = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llama.cpp": "llama.cpp",
    "ollama": "Ollama",
    "lm_studio": "LM Studio",
    "tgi": "TGI",
    "azure": "Azure",
    "openai": "OpenAI",
    "other": "an OpenAI-compatible server",
}
"""Kinds of servers as people write them."""

_OWNERS: Final[dict[str, ServerKind]] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "library": "ollama",
    "organization_owner": "lm_studio",
    "organization-owner": "lm_studio",
    "openai": "openai",
    "openai-internal": "openai",
    "system": "openai",
}

_ROUTES: Final[tuple[tuple[str, ServerKind, Callable[[dict[str, Any]], bool]], ...]] = (
    ("/props", "llama.cpp", lambda answer: "default_generation_settings" in answer),
    ("/get_model_info", "sglang", lambda answer: "model_path" in answer and "is_generation" in answer),
    ("/info", "tgi", lambda answer: "model_id" in answer and ("max_total_tokens" in answer or "router" in answer)),
    ("/api/v0/models", "lm_studio", lambda answer: '"compatibility_type"' in json.dumps(answer.get("data"))),
    ("/api/version", "ollama", lambda answer: isinstance(answer.get("version"), str)),
    ("/version", "vllm", lambda answer: isinstance(answer.get("version"), str)),
)
"""A route, the kind of server that has it, and what its response looks like; the most telling ones first."""


async def find_kind(upstream: Upstream, owner: str) -> ServerKind:
    """Return the kind of the servers, whose list of models names this ``owner``."""
    if (hosted := _hosted(upstream.url)) is not None:
        return hosted
    if owner in _OWNERS:
        return _OWNERS[owner]
    answers = await asyncio.gather(*(ask(upstream, path) for path, _, _ in _ROUTES))
    found = (kind for answer, (_, kind, fits) in zip(answers, _ROUTES, strict=True) if answer is not None and fits(answer))
    return next(found, "other")


async def ask(upstream: Upstream, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the response to a question that a server need not understand; None without one."""
    try:
        return await upstream.get_optional(path, body)
    except SearchServiceError:
        return None


def _hosted(url: str) -> ServerKind | None:
    """Kind of a hosted service, known by its address."""
    host = (urlsplit(url).hostname or "").lower()
    if is_azure(host):
        return "azure"
    return "openai" if host == "api.openai.com" or host.endswith(".api.openai.com") else None
