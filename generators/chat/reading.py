"""Streamed responses of chat and text completions, piece by piece: texts, log probabilities and the server's own counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from epf.core.errors import GeneratorError
from epf.core.generator import TopTokens
from epf.engines.http.errors import RetryableError, StreamBrokeOff, UpstreamRejected
from epf.engines.http.numbers import is_log_prob
from epf.engines.http.sse import END_GRACE_S
from epf.generators.openai.completions import Choice, Cut, End, contents_of
from epf.generators.openai.top_tokens import bytes_of, most_likely_texts


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that a server sent as one token, or in one event, and their log probability if it is known.

    ``top`` are the most likely tokens at the position of this one, if they were requested.
    """

    data: bytes
    log_prob: float | None = None
    top: TopTokens = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of tokens as the server counts them; None where it does not."""

    prompt: int | None = None
    sampled: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sampled.

    Attributes:
        text: all of it, or up to the event at which reading ended.
        pieces: what spells the text.
        end: why it ended: at the server, at the separator, or because it begins ``elsewhere`` than it should.
        stop_reason: text or token at which the server stopped, None at the model's own end.
        counts: the server's counts, as far as they had arrived.
        thoughts: whether the server sent thoughts apart from the text.
    """

    text: str
    pieces: tuple[Piece, ...]
    end: End
    stop_reason: str | int | None = None
    counts: Counts = Counts()
    thoughts: bool = False


async def read_reply(events: AsyncIterator[dict[str, Any]], cut: Cut, max_tokens: int, n_top: int = 0) -> Reply:
    """Read a response with one choice, and the ``n_top`` most likely tokens at each position.

    After the end of the text, the server's counts are awaited for a moment.

    Raises:
        GeneratorError: the response has no choice, or an invalid one.
        RetryableError: the server gave up, or the stream broke off.
    """
    reader = _Reader(cut, n_top)
    try:
        async for event in events:
            reader.add(event)
            if reader.choice.enough:
                return reader.reply()
            if reader.choice.ended:
                await _await_counts(events, reader)
                return reader.reply()
    except StreamBrokeOff:
        if not reader.choice.ended:
            raise
    if not reader.choice.begun:
        raise GeneratorError("The generator's server responded to a chat without any choice. Check generator.url.")
    reader.choice.end_at(max_tokens)
    return reader.reply()


async def _await_counts(events: AsyncIterator[dict[str, Any]], reader: "_Reader") -> None:
    with suppress(TimeoutError, RetryableError, UpstreamRejected):
        async with asyncio.timeout(END_GRACE_S):
            async for event in events:
                reader.add(event)


class _Reader:
    """A response as far as it was read."""

    def __init__(self, cut: Cut, n_top: int) -> None:
        self._cut = cut
        self._n_top = n_top
        self._pieces: list[Piece] = []
        self._counts = Counts()
        self._thoughts = False
        self.choice = Choice(cut, needs_ids=False)

    def add(self, event: dict[str, Any]) -> None:
        self._counts = _counts(event, self._counts)
        for content in contents_of(event):
            if content.get("index") not in (None, 0):
                raise GeneratorError("The generator's server sent several choices where one was requested.")
            text, thoughts = _text(content)
            self._thoughts = self._thoughts or thoughts
            if self.choice.add(content | {"text": text, "logprobs": None, "token_ids": None}):
                self._pieces += _pieces(text, content.get("logprobs"), self._n_top)

    def reply(self) -> Reply:
        completion = self.choice.completion()
        if completion.end == "elsewhere":
            return Reply("", (), "elsewhere")
        pieces, n_before = _fitting(self._pieces, self._cut.after, completion.text)
        sampled = None if self._counts.sampled is None else max(0, self._counts.sampled - n_before)
        counts = Counts(self._counts.prompt, sampled)
        return Reply(completion.text, pieces, completion.end, completion.stop_reason, counts, self._thoughts)


def _text(content: dict[str, Any]) -> tuple[str, bool]:
    """Text that an event adds, and whether it has thoughts as well. What a model says in refusal is its text."""
    message = content.get("delta") if content.get("delta") is not None else content.get("message")
    if message is None:
        message = {"content": content.get("text")}
    if not isinstance(message, dict):
        raise GeneratorError("The generator's server sent a message that is not an object.")
    text = message.get("content")
    if isinstance(text, list):  # parts, as some gateways send them
        text = "".join(str(part.get("text") or "") for part in text if isinstance(part, dict))
    text = text or message.get("refusal")
    if text is not None and not isinstance(text, str):
        raise GeneratorError("The generator's server responded with a text that is not a string.")
    return text or "", any(message.get(name) for name in ("reasoning_content", "reasoning", "thinking"))


def _pieces(text: str, log_probs: object, n_top: int) -> list[Piece]:
    """Pieces of an event: its tokens if the log probabilities name them, otherwise all of its text."""
    data = text.encode(errors="surrogatepass")
    named = _named(log_probs, n_top)
    if named and b"".join(piece.data for piece in named) == data:
        return [piece for piece in named if piece.data]
    return [Piece(data)] if data else []


def _named(log_probs: object, n_top: int) -> list[Piece]:
    """Tokens that the log probabilities name, in the form of chat completions or in that of completions."""
    if not isinstance(log_probs, dict):
        return []
    entries = log_probs.get("content")
    if isinstance(entries, list):
        named = [
            (bytes_of(entry), entry.get("logprob"), entry.get("top_logprobs")) for entry in entries if isinstance(entry, dict)
        ]
    else:
        tokens, values = log_probs.get("tokens"), log_probs.get("token_logprobs")
        if not isinstance(tokens, list) or not isinstance(values, list):
            return []
        tops = log_probs.get("top_logprobs")
        tops = tops if isinstance(tops, list) and len(tops) == len(tokens) else [None] * len(tokens)
        named = [(str(token).encode(), value, top) for token, value, top in zip(tokens, values, tops, strict=False)]
    return [Piece(data, _number(value), _top(top, n_top)) for data, value, top in named]


def _top(listed: object, n: int) -> TopTokens:
    return most_likely_texts(listed, n) if n else ()


def _number(value: Any) -> float:
    if not is_log_prob(value):
        raise GeneratorError("The generator's server returned log probabilities that are not numbers of at most 0.")
    return float(value)


def _fitting(pieces: list[Piece], after: str, text: str) -> tuple[tuple[Piece, ...], int]:
    """Pieces of ``text``, which follows ``after`` in the response, and the number of pieces before them."""
    skip = len(after.encode())
    kept: list[Piece] = []
    for piece in pieces:
        if skip >= len(piece.data):
            skip -= len(piece.data)
        else:
            kept.append(piece if skip == 0 else Piece(piece.data[skip:]))
            skip = 0
    n_before, data = len(pieces) - len(kept), text.encode()
    if b"".join(piece.data for piece in kept) == data:
        return tuple(kept), n_before
    return ((Piece(data),) if data else ()), n_before


def _counts(event: dict[str, Any], known: Counts) -> Counts:
    """The newest counts: ``usage`` of any server, or ``timings`` of llama.cpp."""
    usage, timings = event.get("usage"), event.get("timings")
    if isinstance(usage, dict):
        return Counts(_count(usage.get("prompt_tokens"), known.prompt), _count(usage.get("completion_tokens"), known.sampled))
    if isinstance(timings, dict) and type(timings.get("prompt_n")) is int:
        prompt = timings["prompt_n"] + (timings["cache_n"] if type(timings.get("cache_n")) is int else 0)
        return Counts(_count(prompt, known.prompt), _count(timings.get("predicted_n"), known.sampled))
    return known


def _count(value: object, known: int | None) -> int | None:
    return value if type(value) is int and value >= 0 else known
