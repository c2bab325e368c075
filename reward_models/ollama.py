"""Requests in Ollama's own API, and its responses in the shape of OpenAI's.

Its OpenAI-compatible routes leave out the log probabilities, write a prompt into the model's chat template, and cut one that is
too long without a word. Its own routes do none of that if asked. Source: Ollama's ``docs/api.md``; ``truncate`` and ``shift``
are in ``api/types.go``, log probabilities came with version 0.12.11, issue 16117 is about the compatible routes.
"""

from collections.abc import Mapping
from typing import Any

CHAT_ROUTE = "/api/chat"
PROMPT_ROUTE = "/api/generate"


def request_of(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the route and the body for a request to ``/v1/chat/completions`` or, with a prompt, ``/v1/completions``.

    A prompt is completed as it is, without a template.
    """
    sent: dict[str, Any] = {"model": body["model"], "stream": False, "truncate": False, "shift": False}
    sent["options"] = {"temperature": body["temperature"], "num_predict": body["max_tokens"]}
    if body.get("logprobs"):
        sent |= {"logprobs": True, "top_logprobs": body.get("top_logprobs", body["logprobs"])}
    if "chat_template_kwargs" in body:
        sent["think"] = body["chat_template_kwargs"]["enable_thinking"]
    if "prompt" in body:
        return PROMPT_ROUTE, sent | {"prompt": body["prompt"], "raw": True}
    return CHAT_ROUTE, sent | {"messages": body["messages"]}


def completion_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response of either route as a completion of OpenAI's API."""
    said = answer.get("message")
    content = {} if answer.get("logprobs") is None else {"logprobs": {"content": answer["logprobs"]}}
    message = said if isinstance(said, dict) else {"content": answer.get("response")}
    choice = {"message": message | {"reasoning": message.get("thinking")}, "finish_reason": answer.get("done_reason")}
    counts = {"prompt_tokens": answer.get("prompt_eval_count"), "completion_tokens": answer.get("eval_count")}
    return {"choices": [choice | content], "usage": counts}
