"""Requests to ``/v1/completions``, and which of their fields a server need not know."""

from collections.abc import Sequence
from typing import Any, Literal

from epf.core.generator import Sampling
from epf.engines.http.dialect import OptionalField

TOKENS_PER_EVENT = 16
"""Only whole steps are used, so vLLM may send several tokens in one event."""

Mode = Literal["ids", "log_prob_ids", "text"]
"""How a server speaks of tokens.

``ids``: it reads and returns token ids, as vLLM does. ``log_prob_ids``: it reads token ids, and only its log probabilities name
those that it samples, as with llama.cpp. ``text``: any other.
"""

OPENAI_TOP = 5
"""Maximum number of most likely tokens that OpenAI's completions and some other servers list for each position."""

_OWN_DEFAULT = "the server's own default applies"

FIELDS = {
    "top_k": OptionalField(_OWN_DEFAULT, forms=(lambda _: ("top_k", 0),)),
    "min_p": OptionalField(_OWN_DEFAULT),
    "repetition_penalty": OptionalField(_OWN_DEFAULT),
    "stream_interval": OptionalField(),
    "return_token_ids": OptionalField(),
    "return_tokens_as_token_ids": OptionalField(),
    "include_stop_str_in_output": OptionalField(),
    "stop_token_ids": OptionalField("the server samples a little beyond each step"),
    "stop": OptionalField("the server samples beyond each step", standard=True),
    "logprobs": OptionalField(
        "steps have no log probabilities",
        standard=True,
        forms=(lambda n: ("logprobs", min(n, OPENAI_TOP)), lambda n: ("logprobs", min(n, 1))),
    ),
    "seed": OptionalField(
        "the same search gives other steps the next time",
        standard=True,
        forms=(lambda seed: ("seed", seed % 2**31),),
    ),
    "stream": OptionalField("steps arrive as a whole", standard=True),
    "temperature": OptionalField(_OWN_DEFAULT, standard=True, neutral=1.0),
    "top_p": OptionalField(_OWN_DEFAULT, standard=True, neutral=1.0),
}
"""Fields that a request can do without: not ``n``, and ``temperature`` and ``top_p`` only if they are 1."""


def completion_request(
    model: str, prompt: Sequence[int] | str, sampling: Sampling, max_tokens: int, seed: int, mode: Mode, n: int = 1
) -> dict[str, Any]:
    """Return the body of a request for ``n`` continuations, without the fields that say where to stop.

    Servers have defaults of their own, so whatever is not wanted is switched off. The log probabilities are those at
    temperature 1. If a step stops at a text, the response includes the whole of its last token.
    """
    body: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": seed,
        "stream": True,
    }
    if mode == "ids":
        interval = TOKENS_PER_EVENT if sampling.on_text is None else 1
        body |= {"stream_interval": interval, "return_token_ids": True, "return_tokens_as_token_ids": True}
        body |= {"logprobs": sampling.top_log_probs, "include_stop_str_in_output": True} | ({"n": n} if n > 1 else {})
    if mode == "log_prob_ids":
        body |= {"logprobs": max(1, sampling.top_log_probs)}
    return body
