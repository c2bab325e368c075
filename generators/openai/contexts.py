"""Length of a model's context, as each kind of server reports it.

vLLM, SGLang, llama.cpp and several gateways list it with the model. SGLang may leave it out, llama.cpp has it among its
properties, TGI in its description, LM Studio and Ollama in APIs of their own. What counts is the context that the model was
loaded with, not the longest that it could have.
"""

import re
from collections.abc import Iterator
from typing import Any

from epf.engines.http.kinds import ServerKind, ask
from epf.engines.http.replicas import Upstream


def listed_context(listing: dict[str, Any]) -> int | None:
    """Length of the context in an entry of ``/v1/models``."""
    meta = listing.get("meta")
    names = ("max_model_len", "context_length", "context_window", "max_context_length")
    named = tuple(map(listing.get, names))
    return _first((*named, meta.get("n_ctx") if isinstance(meta, dict) else None))


async def context_length(upstream: Upstream, kind: ServerKind, model: str) -> int | None:
    """Return the length of the context that a server of this kind reports elsewhere; None if it reports none."""
    match kind:
        case "llama.cpp":
            props = await ask(upstream, "/props") or {}
            settings = props.get("default_generation_settings")
            return _first((settings.get("n_ctx") if isinstance(settings, dict) else None, props.get("n_ctx")))
        case "sglang":
            info = await ask(upstream, "/get_server_info") or {}
            return _first((info.get("context_length"), info.get("max_req_input_len")))
        case "tgi":
            return _first(((await ask(upstream, "/info") or {}).get("max_total_tokens"),))
        case "lm_studio":
            return _first(_lm_studio(await ask(upstream, "/api/v0/models"), model))
        case "ollama":
            return await _ollama(upstream, model)
        case _:
            return None


def _lm_studio(answer: dict[str, Any] | None, model: str) -> Iterator[object]:
    for listed in _objects(answer, "data"):
        if listed.get("id") == model:
            yield listed.get("loaded_context_length")


async def _ollama(upstream: Upstream, model: str) -> int | None:
    """Length of the loaded model's context, or the one that its Modelfile sets. Ollama's own default depends on the machine."""
    loaded = await ask(upstream, "/api/ps")
    for listed in _objects(loaded, "models"):
        if model in (listed.get("name"), listed.get("model")) and (length := _first((listed.get("context_length"),))):
            return length
    parameters = (await ask(upstream, "/api/show", {"model": model}) or {}).get("parameters")
    found = re.search(r"^num_ctx\s+(\d+)", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    return int(found[1]) if found else None


def _objects(answer: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    values = (answer or {}).get(name)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _first(values: Iterator[object] | tuple[object, ...]) -> int | None:
    return next((value for value in values if type(value) is int and value > 0), None)
