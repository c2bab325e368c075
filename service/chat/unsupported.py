"""Fields of other servers that this one does not support: refused if they would change the answer, else reported."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


INSTEAD: Mapping[str, str] = {
    "tools": "a search writes its solutions without calling tools; leave it out, or send tool_choice none",
    "tool_choice": "a search writes its solutions without calling tools; leave it out",
    "functions": "a search writes its solutions without calling functions; leave it out",
    "function_call": "a search writes its solutions without calling functions; leave it out",
    "response_format": "a search compares solutions in plain text; leave it out and read the answer from `search.answer`",
}
"""What to do instead of a field that clients of a language model often send."""


def check_supported(body: ChatRequest) -> None:
    """Raise ``InvalidRequest`` for an unsupported field that would change the answer."""
    check_neutral(body.model_extra or {}, NEUTRAL)
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("`stream_options` requires stream: set stream to true or leave it out.", param="stream_options")
    if body.top_logprobs is not None and not body.logprobs:
        raise InvalidRequest("`top_logprobs` requires logprobs: set logprobs to true or leave it out.", param="top_logprobs")


def check_neutral(sent: Mapping[str, Any], neutral: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise ``InvalidRequest`` for a field of ``sent`` that would change the answer, unless it has a value that would not."""
    unchecked = {"tools"} if sent.get("tool_choice") == "none" else set()
    for name, values in neutral.items():
        if name in sent and name not in unchecked and not any(_same(sent[name], value) for value in values):
            allowed = " or ".join(map(_written, values))
            fix = INSTEAD.get(name) or (f"leave it out or send {allowed}" if allowed else "leave it out")
            raise InvalidRequest(f"`{name}` is not supported: {fix}.", param=name)
    for name in sorted(sent.keys() & ChatSearch.model_fields.keys()):
        raise InvalidRequest(f"`{name}` is a search option: send it as `search.{name}`.", param=name)


def ignored_header(body: ChatRequest, without_effect: Iterable[str] = ()) -> dict[str, str]:
    """The response header for a chat request; ``without_effect`` are further fields that have no effect."""
    return header_of([*_without_effect(body), *without_effect])


def header_of(names: Sequence[str]) -> dict[str, str]:
    """The response header for fields without effect, limited in number and length; empty without any."""
    shown = [re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:64] for name in names[:MAX_NAMED]]
    if len(names) > MAX_NAMED:
        shown.append(f"and {len(names) - MAX_NAMED} more")
    return {HEADER: ", ".join(shown)} if shown else {}


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
