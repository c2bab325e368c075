"""How servers say that a request is longer than the model's context.

The patterns cover the wordings of vLLM, SGLang, llama.cpp, llama-cpp-python, TGI, Ollama, LM Studio, TensorRT-LLM and hosted
services as they are known to us; not each was provoked on a running server. A limit on ``max_tokens`` alone is something else.
"""

import re

TOO_LONG_NAMES = frozenset({"context_length_exceeded", "exceed_context_size_error", "input_tokens", "string_above_max_length"})
"""Codes, types and parameters that mean it: our own, OpenAI's, llama.cpp's and vLLM's."""

_LONGER = (
    r"(?:exceed\w*|longer than|too (?:long|large|many|big)|greater than|larger than|more than|overflow\w*|truncated?"
    r"|(?:cannot|not) fit|(?:is|supports|has) only|not enough)"
)
_CONTEXT = (
    r"(?:context(?:'s)?(?: (?:length|size|window|limit))?|max_model_len|n_ctx|model(?:'s)? (?:maximum )?length"
    r"|(?:max\w*[ _])?seq\w*[ _]len\w*|max\w* (?:allowed )?(?:input|prompt|model|sequence|total) (?:length|tokens?|size))"
)
_PROMPT = r"(?:prompts?|inputs?|messages?|number of tokens|requested tokens|input_ids|request)"
_PATTERNS = (
    rf"{_CONTEXT}.{{0,100}}\b{_LONGER}",
    rf"\b{_LONGER}.{{0,100}}{_CONTEXT}",
    r"maximum context length",
    r"reached context length",
    r"\bcontext\b.{0,20}\boverflow",
    r"reduce the length of (?:the |your )?(?:messages|prompt|input)",
    rf"\b{_PROMPT}\b[`'\"]?(?: (?:is|are|was|were|length|tokens?|has|have)\b)?[^.]{{0,40}} too (?:long|large|many|big)\b",
    rf"\b{_PROMPT}\b[`'\"]?[^.]{{0,60}}\btokens?\b[^.]{{0,40}}(?:{_LONGER}|\bmust be (?:<|less)|cannot exceed|>)",
    r"`?inputs?`? must have (?:less|fewer) than \d+ tokens",
    r"`?inputs`? tokens \+ `?max_new_tokens`? must be",
    r"\bprompt length\b.{0,40}exceed",
    r"too many (?:input |prompt )?tokens\b",
)
_TOO_LONG = re.compile("|".join(_PATTERNS), re.IGNORECASE | re.DOTALL)
_OUTPUT = re.compile(
    r"at most \d+ completion tokens|max_(?:completion_)?tokens[`'\"]? (?:must be|should be|has to be)", re.IGNORECASE
)


def means_too_long(words: str) -> bool:
    """Whether a server's words say that a request is too long for the context."""
    return _TOO_LONG.search(words) is not None and _OUTPUT.search(words) is None
