"""Requests to a server by text: a conversation to be continued, in the way in which the server continues one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from epf.core.generator import Message, Sampling
from epf.engines.http.dialect import OptionalField
from epf.generators.openai.request import FIELDS as COMPLETION_FIELDS
from epf.generators.openai.request import OPENAI_TOP

Style = Literal["plain", "flags", "prefix", "text"]
"""How a server is asked to continue the last message of the assistant.

``plain``: it does so by itself, as llama.cpp and Ollama do. ``flags``: it needs ``continue_final_message``, as vLLM, SGLang and
TGI do. ``prefix``: that message has ``prefix: true``, as with Mistral and DeepSeek. ``text``: it has no chats, and the
conversation is sent to ``/v1/completions`` as plain text.
"""

ROUTES: Final[Mapping[Style, str]] = {
    "plain": "/v1/chat/completions",
    "flags": "/v1/chat/completions",
    "prefix": "/v1/chat/completions",
    "text": "/v1/completions",
}

SPEAKERS: Final = {"system": "", "user": "User: ", "assistant": "Assistant: "}

FIELDS: Final[Mapping[str, OptionalField]] = {
    **{name: COMPLETION_FIELDS[name] for name in ("top_k", "min_p", "repetition_penalty", "seed", "stream")},
    **{name: COMPLETION_FIELDS[name] for name in ("temperature", "top_p")},
    "logprobs": replace(COMPLETION_FIELDS["logprobs"], group=("top_logprobs",)),
    "top_logprobs": OptionalField(
        "the most likely tokens are not listed",
        standard=True,
        forms=(lambda n: ("top_logprobs", min(n, OPENAI_TOP)),),
    ),
    "stream_options": OptionalField(
        "prompts take a request of their own to be counted",
        standard=True,
        forms=(lambda _: ("stream_options", {"include_usage": True}),),
    ),
    "timings_per_token": OptionalField(),
    "reasoning_format": OptionalField(),
    "max_tokens": OptionalField(standard=True, required=True, forms=(lambda n_tokens: ("max_completion_tokens", n_tokens),)),
}
"""Fields that a request can do without, or that have another form."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A conversation, and what the assistant has written of its next message."""

    messages: tuple[Message, ...]
    written: str = ""


def request_of(
    model: str, prefix: Prefix, style: Style, sampling: Sampling, max_tokens: int, seed: int, *, log_probs: bool = True
) -> dict[str, Any]:
    """Return the body of a request for one continuation of ``prefix``, streamed. It does not say where to stop.

    Servers have defaults of their own, so whatever is not wanted is switched off.
    """
    body: dict[str, Any] = {
        "model": model,
        **_conversation(prefix, style),
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": seed,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }
    n_top = sampling.top_log_probs
    if log_probs and style == "text":
        body["logprobs"] = max(1, n_top)
    elif log_probs:
        body |= {"logprobs": True} | ({"top_logprobs": n_top} if n_top else {})
    return body


def _conversation(prefix: Prefix, style: Style) -> dict[str, Any]:
    if style == "text":
        return {"prompt": plain_text(prefix.messages) + prefix.written}
    turns: list[dict[str, Any]] = [{"role": message.role, "content": message.content} for message in prefix.messages]
    if not prefix.written:
        return {"messages": turns}
    turns.append({"role": "assistant", "content": prefix.written})
    if style == "prefix":
        turns[-1]["prefix"] = True
    flags = {"continue_final_message": True, "add_generation_prompt": False} if style == "flags" else {}
    return {"messages": turns, **flags}


def plain_text(messages: Sequence[Message]) -> str:
    """A conversation as text for a model without a chat template. A single question stands alone, without a speaker."""
    turns = [message for message in messages if message.role != "system"]
    named = len(turns) > 1
    texts = [(SPEAKERS[message.role] if named else "") + message.content for message in messages]
    return "\n\n".join([*texts, SPEAKERS["assistant"].rstrip() if named else ""])
