"""The most likely tokens at a position, in each of the forms in which OpenAI-like servers list them.

Completions list ``{token: log probability}``, chat completions and llama.cpp objects with ``token``, ``bytes`` and ``logprob``.
A token is named by its text, by its bytes or, as vLLM does on request and llama.cpp always, by its id.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from epf.core.errors import GeneratorError
from epf.core.generator import TopTokens
from epf.engines.http.numbers import is_log_prob

NamedTokens: TypeAlias = tuple[tuple[int | bytes, float], ...]
"""Tokens by id or by bytes, most likely first, with their log probabilities."""

_TOKEN_ID = re.compile(r"token_id:(\d+)")


def most_likely(listed: object, n: int) -> NamedTokens:
    """The ``n`` most likely of the tokens that a server lists, by ids as far as they are named; see :func:`ranked`."""
    return ranked(_entries(listed), n)


def most_likely_texts(listed: object, n: int) -> TopTokens:
    """Like :func:`most_likely`, by bytes; a token that is named by its id only has none."""
    return tuple(
        (b"" if isinstance(token, int) else token, value) for token, value in ranked(_entries(listed, by_ids=False), n)
    )


def ranked(entries: Iterable[tuple[int | bytes, Any]], n: int) -> NamedTokens:
    """The ``n`` most likely of the listed tokens; one without a log probability is left out.

    Servers list the sampled token as well, however unlikely it is.

    Raises:
        GeneratorError: a log probability is not a number of at most 0.
    """
    named = [(token, float(value)) for token, value in entries if value is not None and _checked(value)]
    return tuple(sorted(named, key=lambda one: -one[1])[:n])


def spelled(tops: tuple[NamedTokens, ...], token_bytes: Callable[[int], bytes]) -> tuple[TopTokens, ...]:
    """The tokens by their bytes."""
    return tuple(
        tuple((token_bytes(token) if isinstance(token, int) else token, value) for token, value in top) for top in tops
    )


def bytes_of(entry: dict[str, Any]) -> bytes:
    """Bytes of a token that has ``bytes``, or else of its text."""
    given = entry.get("bytes")
    if isinstance(given, list) and all(type(byte) is int and 0 <= byte < 256 for byte in given):
        return bytes(given)
    return str(entry.get("token") or "").encode(errors="surrogatepass")


def _entries(listed: object, *, by_ids: bool = True) -> Iterator[tuple[int | bytes, Any]]:
    if isinstance(listed, dict):
        for token, value in listed.items():
            named = _TOKEN_ID.fullmatch(token)
            yield int(named[1]) if named else token.encode(errors="surrogatepass"), value
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            token_id: Any = entry.get("id")
            if by_ids and type(token_id) is int and token_id >= 0:
                yield token_id, entry.get("logprob")
            else:
                yield bytes_of(entry), entry.get("logprob")


def _checked(value: object) -> bool:
    if not is_log_prob(value):
        raise GeneratorError("The generator's server returned log probabilities that are not numbers of at most 0.")
    return True
