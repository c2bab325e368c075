"""What servers of chats do that OpenAI's does not, as bytes on the wire, and any other quirk as a server of chats has it."""

import json
import re
from dataclasses import replace
from typing import Any

from tests.engines.http.server import Answer, Request
from tests.servers.quirks import COMPLETIONS, PIECES, TEXT, Quirk, Script, error_of, refuses, refuses_unless, sends, sse


def delta(content: Any, finish: Any = None, /, **more: Any) -> dict[str, Any]:
    """The event of one piece of a chat."""
    return {"choices": [{"index": 0, "delta": {"content": content} | more, "finish_reason": finish}]}


ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
CHAT = [ROLE, *map(delta, PIECES), {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]

CHATS = Quirk(
    "Its chats have other fields.",
    "Azure, OpenAI, DeepSeek, vLLM, SGLang, LM Studio, Ollama, gateways",
    "The text is read from wherever it is. Thoughts that come apart from it are in no step, which the log says once. What a "
    "model says in refusal is its text; a filter or a call of a tool ends the turn.",
    {
        "the role first": sends(sse(*CHAT)),
        "the role in each event": sends(sse(*(delta(piece, None, role="assistant") for piece in PIECES), CHAT[-1])),
        "the role with null": sends(sse(delta(None, None, role="assistant"), *CHAT[1:])),
        "fields that are null": sends(
            sse(*(delta(p, None, reasoning_content=None, tool_calls=None, refusal=None) for p in PIECES), CHAT[-1])
        ),
        "no delta at the end": sends(sse(*CHAT[:-1], {"choices": [{"index": 0, "finish_reason": "stop"}]})),
        "a null delta at the end": sends(sse(*CHAT[:-1], {"choices": [{"delta": None, "finish_reason": "stop"}]})),
        "the end with the last piece": sends(sse(*CHAT[:-2], delta(PIECES[-1], "stop"))),
        "usage at the end": sends(sse(*CHAT, {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}})),
        "usage in each event": sends(sse(*(event | {"usage": {"prompt_tokens": 9}} for event in CHAT))),
        "usage null": sends(sse(*(event | {"usage": None} for event in CHAT))),
        "results of a filter": sends(
            sse({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}, *(e | {"content_filter": {}} for e in CHAT))
        ),
        "parts": sends(sse(*(delta([{"type": "text", "text": piece}]) for piece in PIECES), CHAT[-1])),
        "a message in place of a delta": sends(sse({"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]})),
        "one JSON body": sends(
            {"choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]}
        ),
        "thoughts": sends(sse(delta(None, None, reasoning_content="Hm."), delta("", None, reasoning="So."), *CHAT)),
        "a refusal": sends(sse(ROLE, *(delta(None, None, refusal=piece) for piece in PIECES), CHAT[-1])),
        "a filter": sends(sse(*CHAT[:-1], delta(None, "content_filter"))),
        "a call of a tool": sends(sse(*CHAT[:-1], delta(None, "tool_calls", tool_calls=[{"index": 0, "id": "1"}]))),
        "max_completion_tokens": refuses(
            error_of(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                param="max_tokens",
                code="unsupported_parameter",
            ),
            "max_tokens",
        ),
        "no options of streams": refuses(error_of("Unrecognized request argument supplied: stream_options"), "stream_options"),
        "no counts within a stream": refuses_unless(
            error_of("Unknown parameter: 'stream_options.continuous_usage_stats'."),
            lambda body: "continuous_usage_stats" not in (body.get("stream_options") or {}),
        ),
    },
)


def as_chat(script: Script) -> Script:
    """A server of chats that differs from OpenAI's in the way in which ``script`` does."""

    def answer(request: Request) -> Answer:
        found = script(request)
        body = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
        field = rb'"message": {"content": \1}' if body.lstrip().startswith(b"{") else rb'"delta": {"content": \1}'
        return replace(found, body=re.sub(rb'"text": ("(?:[^"\\]|\\.)*"|null)', field, body))

    return answer


QUIRKS = (*COMPLETIONS, CHATS)
"""All quirks, for the table in docs/servers.md."""
