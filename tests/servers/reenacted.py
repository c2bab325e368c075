"""Servers that cannot run here, re-enacted from their documentation: what they list, how they continue, and their streams.

Sources: Ollama ``docs/openai.md``, ``docs/api.md`` and its pull request 6784 (usage within streams); LM Studio's
documentation of its OpenAI-compatible API and of ``/api/v0``; TGI's "Messages API" and its pull request 2733 (continuing);
SGLang's documentation of its OpenAI API and its pull request 4226 (continuing); OpenAI's API reference; Azure's "v1 API" with
its content filter; Mistral's and DeepSeek's pages on prefixes.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from epf.engines.http.kinds import ServerKind
from epf.generators.chat.request import Style
from tests.engines.http.server import Answer, Request

SOLUTION = ("2", " +", " 3", " =", " 5", ".", "\n\n", "The", " answer", " is", " \\boxed{", "5", "}.")
N_MARKERS = 4
"""Number of tokens between two turns."""


@dataclass(frozen=True)
class Server:
    """One server.

    Attributes:
        kind, style, context: what is to be found out about it; style None if it does not continue.
        listing: its entry of the list of models.
        routes: responses of its other routes.
        continues: whether a request asks it to continue its last message.
        chunk: an event of its stream, of a text and a finish reason.
        usage: whether it counts at the end of a stream.
        repeats: whether its replies begin with the message that they continue.
        known: fields that it accepts; empty for any.
        first: events before the first piece.
    """

    kind: ServerKind
    style: Style | None
    context: int | None
    listing: dict[str, Any]
    continues: Callable[[dict[str, Any]], bool]
    chunk: Callable[[str, str | None], dict[str, Any]]
    routes: dict[str, Any] = field(default_factory=dict)
    usage: bool = True
    repeats: bool = False
    known: frozenset[str] = frozenset()
    first: tuple[dict[str, Any], ...] = ()

    def answer(self, request: Request) -> Answer:
        """Respond to one request."""
        if request.path == "/v1/models":
            return Answer({"object": "list", "data": [{"object": "model", "created": 1} | self.listing]})
        if request.path in self.routes:
            return Answer(self.routes[request.path])
        if request.path != "/v1/chat/completions":
            return Answer({"error": {"message": f"Unexpected endpoint or method. ({request.path})"}}, 404)
        body = request.body
        unknown = [name for name in body if self.known and name not in self.known]
        if unknown:
            message = f"Unrecognized request argument supplied: {unknown[0]}"
            return Answer({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}, 400)
        *_, last = body["messages"]
        continued = last["role"] == "assistant" and self.continues(body)
        pieces = _continuation(last["content"]) if continued else list(SOLUTION)
        reply = [last["content"]] * (continued and self.repeats) + pieces[: body.get("max_tokens")]
        finish = "stop" if len(pieces) <= body.get("max_tokens", 99) else "length"
        usage = {"prompt_tokens": _n_prompt(body, continued=continued), "completion_tokens": len(reply)}
        counted = self.usage and "stream_options" in body
        events = [*self.first, *(self.chunk(piece, None) for piece in reply), self.chunk("", finish)]
        return Answer(_sse([*events, *([{"choices": [], "usage": usage}] if counted else [])]))


def _continuation(written: str) -> list[str]:
    """What the model writes after a text: the rest of the solution, of a word, or something else."""
    whole = "".join(SOLUTION)
    if not whole.startswith(written):
        return ["is", "."] if written.endswith("Par") else [" and", " so", " on"]
    pieces = list(SOLUTION)
    while written:
        written = written.removeprefix(pieces.pop(0))
    return pieces


def _n_prompt(body: dict[str, Any], *, continued: bool) -> int:
    """Number of tokens: words and blank lines, and markers after each turn that has ended."""
    texts = [turn["content"].replace("\n\n", " \n\n") for turn in body["messages"]]
    return sum(len(text.split(" ")) for text in texts) + N_MARKERS * (len(texts) - continued)


def _sse(events: Iterable[dict[str, Any]]) -> bytes:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"


def _always(_: dict[str, Any]) -> bool:
    return True


def _never(_: dict[str, Any]) -> bool:
    return False


def _flags(body: dict[str, Any]) -> bool:
    return body.get("continue_final_message") is True and body.get("add_generation_prompt") is False


def _prefix(body: dict[str, Any]) -> bool:
    return body["messages"][-1].get("prefix") is True


def _ollama(text: str, finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
    head = {"id": "chatcmpl-299", "object": "chat.completion.chunk", "created": 1, "model": "qwen2.5:0.5b"}
    return head | {"system_fingerprint": "fp_ollama", "choices": [choice], "usage": None}


def _lm_studio(text: str, finish: str | None) -> dict[str, Any]:
    delta = {} if finish else {"role": "assistant", "content": text}
    head = {"id": "chatcmpl-cdm", "object": "chat.completion.chunk", "created": 1, "model": "qwen2.5-0.5b-instruct"}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return head | {"system_fingerprint": "qwen2.5-0.5b-instruct", "choices": [choice]}


def _tgi(text: str, finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": finish}
    head = {"object": "chat.completion.chunk", "id": "", "created": 1, "model": "Qwen/Qwen2.5-0.5B-Instruct"}
    return head | {"system_fingerprint": "3.3.6-native", "choices": [choice], "usage": None}


def _sglang(text: str, finish: str | None) -> dict[str, Any]:
    delta = {"role": None, "content": text or None, "reasoning_content": None, "tool_calls": None}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "matched_stop": 151645 if finish else None}
    return {"id": "6f", "object": "chat.completion.chunk", "created": 1, "model": "default", "choices": [choice], "usage": None}


def _openai(text: str, finish: str | None) -> dict[str, Any]:
    delta = {} if finish else {"content": text}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18"}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return head | {"service_tier": "default", "system_fingerprint": "fp_1", "choices": [choice], "usage": None}


def _azure(text: str, finish: str | None) -> dict[str, Any]:
    event = _openai(text, finish)
    event["choices"][0]["content_filter_results"] = {} if finish else {"hate": {"filtered": False, "severity": "safe"}}
    return event


def _mistral(text: str, finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mistral-small-latest", "choices": [choice]}


OPENAI_FIELDS = frozenset(
    {"model", "messages", "max_tokens", "temperature", "top_p", "n", "seed", "stream", "stop", "logprobs", "stream_options"}
)
QWEN = "Qwen/Qwen2.5-0.5B-Instruct"

SERVERS: dict[str, Server] = {
    "Ollama": Server(
        "ollama",
        "plain",
        4096,
        {"id": "qwen2.5:0.5b", "owned_by": "library"},
        _always,
        _ollama,
        routes={
            "/api/ps": {"models": [{"name": "qwen2.5:0.5b", "model": "qwen2.5:0.5b", "size": 1, "context_length": 4096}]},
            "/api/version": {"version": "0.12.6"},
        },
    ),
    "LM Studio": Server(
        "lm_studio",
        "plain",
        4096,
        {"id": "qwen2.5-0.5b-instruct", "owned_by": "organization_owner"},
        _always,
        _lm_studio,
        routes={
            "/api/v0/models": {
                "object": "list",
                "data": [
                    {
                        "id": "qwen2.5-0.5b-instruct",
                        "object": "model",
                        "type": "llm",
                        "publisher": "lmstudio-community",
                        "arch": "qwen2",
                        "compatibility_type": "gguf",
                        "quantization": "Q4_K_M",
                        "state": "loaded",
                        "max_context_length": 32768,
                        "loaded_context_length": 4096,
                    }
                ],
            }
        },
    ),
    "TGI": Server(
        "tgi",
        "flags",
        4096,
        {"id": QWEN, "owned_by": QWEN},
        _flags,
        _tgi,
        routes={
            "/info": {
                "model_id": QWEN,
                "max_concurrent_requests": 128,
                "max_input_tokens": 4095,
                "max_total_tokens": 4096,
                "router": "text-generation-router",
                "version": "3.3.6",
            }
        },
    ),
    "a TGI that continues by itself": Server(
        "tgi",
        "plain",
        4096,
        {"id": QWEN, "owned_by": QWEN},
        lambda body: "continue_final_message" not in body,
        _tgi,
        routes={"/info": {"model_id": QWEN, "max_total_tokens": 4096, "router": "text-generation-router"}},
    ),
    "SGLang": Server(
        "sglang", "flags", 32768, {"id": QWEN, "owned_by": "sglang", "root": QWEN, "max_model_len": 32768}, _flags, _sglang
    ),
    "OpenAI": Server("openai", None, None, {"id": "gpt-4o-mini", "owned_by": "system"}, _never, _openai, known=OPENAI_FIELDS),
    "Azure": Server(
        "other",
        None,
        None,
        {"id": "our-deployment"},
        _never,
        _azure,
        known=OPENAI_FIELDS,
        first=({"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]},),
    ),
    "Mistral": Server(
        "other",
        "prefix",
        32768,
        {"id": "mistral-small-latest", "owned_by": "mistralai", "max_context_length": 32768},
        _prefix,
        _mistral,
        repeats=True,
        usage=False,
    ),
    "DeepSeek": Server("other", "prefix", None, {"id": "deepseek-chat", "owned_by": "deepseek"}, _prefix, _openai),
}
