"""One token of a response with its log probabilities, in each of the forms in which OpenAI-like servers send them.

Chat completions, the Responses API and llama.cpp list objects: ``{"token", "logprob", "bytes", "top_logprobs": [...]}``.
Completions have parallel lists: ``{"tokens", "token_logprobs", "top_logprobs": [{token: log probability}]}``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from epf.entropy.core.checks import refuse, same_length

UNREPORTED = -9999.0
"""OpenAI and vLLM send this where a log probability is too low to be reported, or minus infinity."""

STAND_IN = -100.0
"""OpenAI sends exactly this for a token that it does not consider at all."""

ROUNDING = 1e-3
"""Maximum excess over 0 of a log probability that was rounded, or computed with 16 bits."""

LISTS = ("reasoning_content", "content", "refusal")
"""Lists of tokens in the order in which the model writes them; DeepSeek has those of its reasoning apart."""

_TOKEN_ID = re.compile(r"token_id:(\d+)")
"""A token as vLLM writes it with ``return_tokens_as_token_ids``."""

_BYTES = re.compile(r"bytes:[ -~]*\\x[0-9a-f]{2}[ -~]*")
"""A token that is no text by itself, as OpenAI's completions write it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One sampled token.

    Attributes:
        raw: bytes that it adds to the text, as far as the response shows them.
        token_id: its id; None if the server does not send it.
        logprob: its log probability in nats, at most 0; None if the server does not report it.
        top: log probabilities of the most likely tokens, as listed; empty if the server lists none.
    """

    raw: bytes
    token_id: int | None
    logprob: float | None
    top: tuple[float, ...]


def tokens_of(logprobs: object, field: str) -> list[Token]:
    """Tokens of the ``logprobs`` of a choice or of a text, which errors call ``field``; none if there are no log probabilities.

    Raises:
        InvalidRequest: It has none of the forms above, or a value is not the logarithm of a probability.
    """
    if logprobs is None:
        return []
    if isinstance(logprobs, list):
        return list(_listed(logprobs, field))
    if not isinstance(logprobs, dict):
        raise refuse(field, "is not an object", "give the log probabilities as the server sent them")
    if any(logprobs.get(name) is not None for name in LISTS):
        return [token for name in LISTS for token in _listed(_list(logprobs.get(name), f"{field}.{name}"), f"{field}.{name}")]
    if logprobs.get("tokens") is not None:
        return list(_parallel(logprobs, field))
    return []


def _list(value: object, field: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise refuse(field, "is not a list", "give the log probabilities as the server sent them")
    return value


def _listed(entries: Sequence[Any], field: str) -> Iterator[Token]:
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict) or "logprob" not in entry:
            raise refuse(f"{field}.{i}", "has no logprob", "give the log probabilities as the server sent them")
        raw, token_id = _spelled(entry)
        top = entry.get("top_logprobs")
        yield Token(
            raw, token_id, log_probability(entry["logprob"], f"{field}.{i}.logprob"), _top(top, f"{field}.{i}.top_logprobs")
        )


def _parallel(logprobs: dict[str, Any], field: str) -> Iterator[Token]:
    tokens = _list(logprobs["tokens"], f"{field}.tokens")
    values = _list(logprobs.get("token_logprobs"), f"{field}.token_logprobs") or [None] * len(tokens)
    tops = _list(logprobs.get("top_logprobs"), f"{field}.top_logprobs") or [None] * len(tokens)
    ids = _list(logprobs.get("token_ids"), f"{field}.token_ids") or [None] * len(tokens)
    for name, others in (("token_logprobs", values), ("top_logprobs", tops), ("token_ids", ids)):
        same_length(f"{field}.{name}", others, f"{field}.tokens", tokens)
    for i, (token, value, top, token_id) in enumerate(zip(tokens, values, tops, ids, strict=True)):
        raw, spelled_id = _spelled({"token": token, "token_id": token_id})
        yield Token(
            raw, spelled_id, log_probability(value, f"{field}.token_logprobs.{i}"), _top(top, f"{field}.top_logprobs.{i}")
        )


def _spelled(entry: dict[str, Any]) -> tuple[bytes, int | None]:
    """Bytes and id of a token; a token that is only named by its id has no bytes."""
    text = entry.get("token")
    text = text if isinstance(text, str) else ""
    numbers = (entry.get(name) for name in ("token_id", "id"))
    token_id = next((n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n >= 0), None)
    raw = entry.get("bytes")
    if named := _TOKEN_ID.fullmatch(text):
        raw = None if raw == list(text.encode()) else raw  # vLLM spells the name instead of the token
        text, token_id = "", int(named.group(1))
    if isinstance(raw, list) and raw and all(isinstance(byte, int) and 0 <= byte < 256 for byte in raw):
        return bytes(raw), token_id
    if _BYTES.fullmatch(text):
        return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text[6:].encode()), token_id
    return text.encode("utf-8", "surrogatepass"), token_id


def _top(top: object, field: str) -> tuple[float, ...]:
    """The log probabilities of a list of tokens that the server reports; a token that is listed twice counts once."""
    found: dict[tuple[object, float], float] = {}
    for name, key, value in _entries(top, field):
        logprob = log_probability(value, f"{field}.{name}")
        if logprob is not None:
            found[key, logprob] = logprob
    return tuple(found.values())


def _entries(top: object, field: str) -> Iterator[tuple[str, object, object]]:
    """Yields the path, the token and the log probability of each entry of a list of tokens."""
    if top is None:
        return
    if isinstance(top, dict):
        for key, value in top.items():
            yield key, key, value["logprob"] if isinstance(value, dict) and "logprob" in value else value
        return
    for i, entry in enumerate(_list(top, field)):
        if not isinstance(entry, dict) or "logprob" not in entry:
            raise refuse(f"{field}.{i}", "has no logprob", "give the log probabilities as the server sent them")
        yield f"{i}.logprob", _spelled(entry), entry["logprob"]


def log_probability(value: object, field: str) -> float | None:
    """A log probability in nats; None where the server reports none: null, NaN, minus infinity, -9999 and below, or -100.

    Raises:
        InvalidRequest: The value is not a number, or the probability would be above 1.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise refuse(field, "is a text", "give a number, or null") from None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(field, "is not a number", "give the natural logarithm of a probability, or null")
    if (
        value != value or value <= UNREPORTED or value == STAND_IN
    ):  # NaN differs from itself; math.isnan fails for huge integers
        return None
    if value > ROUNDING:
        raise refuse(field, "is above 0", "the natural logarithm of a probability is at most 0")
    return min(float(value), 0.0)
