"""Fields of other servers that this one does not support: refused if they would change the answer, else reported."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from epf.core.errors import InvalidRequest
from epf.service.chat.request import ChatRequest, ChatSearch

HEADER = "x-epf-ignored"
"""Response header that lists the fields of the request that had no effect."""

MAX_NAMED = 16

BOOKKEEPING = {
    "metadata",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
}
"""Fields that change the answer on no server."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    # the OpenAI API
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "moderation": (),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "web_search_options": (),
    # vLLM
    "add_generation_prompt": (True,),
    "add_special_tokens": (False,),
    "allowed_token_ids": ([],),
    "bad_words": ([],),
    "best_of": (1,),
    "chat_template": (),
    "chat_template_kwargs": ({},),
    "continue_final_message": (False,),
    "documents": ([],),
    "echo": (False,),
    "guided_choice": ([],),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "ignore_eos": (False,),
    "include_stop_str_in_output": (False,),
    "length_penalty": (1,),
    "logits_processors": ([],),
    "min_p": (0,),
    "min_tokens": (0,),
    "prompt_logprobs": (),
    "repetition_penalty": (1,),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "stop_token_ids": ([],),
    "structured_outputs": (),
    "thinking_token_budget": (),
    "top_k": (-1, 0),
    "truncate_prompt_tokens": (),
    "use_beam_search": (False,),
}
"""Fields that would change the answer, with the values that would not."""


def check_supported(body: ChatRequest) -> None:
    """Raise ``InvalidRequest`` for an unsupported field that would change the answer."""
    sent = dict(body.model_extra or {})
    if sent.get("tool_choice") == "none":
        sent.pop("tools", None)
    for name, neutral in NEUTRAL.items():
        if name in sent and not any(_same(sent[name], value) for value in neutral):
            allowed = " or ".join(map(_written, neutral))
            fix = f"leave it out or send {allowed}" if allowed else "leave it out"
            raise InvalidRequest(f"`{name}` is not supported: {fix}.", param=name)
    for name in sorted(sent.keys() & ChatSearch.model_fields.keys()):
        raise InvalidRequest(f"`{name}` is a search option: send it as `search.{name}`.", param=name)
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("`stream_options` requires stream: set stream to true or leave it out.", param="stream_options")
    if body.top_logprobs is not None and not body.logprobs:
        raise InvalidRequest("`top_logprobs` requires logprobs: set logprobs to true or leave it out.", param="top_logprobs")
    if body.top_logprobs:
        message = "`top_logprobs` above 0 is not supported, only log probabilities of the sampled tokens: leave it out."
        raise InvalidRequest(message, param="top_logprobs")


def ignored(body: ChatRequest) -> str:
    """Value of the header: names of fields without effect, limited in number and length; empty without any."""
    names = list(_without_effect(body))
    shown = [re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:64] for name in names[:MAX_NAMED]]
    return ", ".join([*shown, f"and {len(names) - MAX_NAMED} more"] if len(names) > MAX_NAMED else shown)


def _without_effect(body: ChatRequest) -> Iterator[str]:
    yield from sorted((body.model_extra or {}).keys() - BOOKKEEPING - NEUTRAL.keys())
    if body.max_tokens is not None and body.max_completion_tokens not in (None, body.max_tokens):
        yield "max_tokens"
    yield from sorted({f"messages.{name}" for message in body.messages for name in message.model_extra or {}})
    yield from sorted(f"stream_options.{name}" for name in (body.stream_options and body.stream_options.model_extra) or {})


def _same(value: Any, neutral: Any) -> bool:
    return bool(value == neutral) and isinstance(value, bool) == isinstance(neutral, bool)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", '"')
