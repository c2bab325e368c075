"""Server-sent events by the whole standard (https://html.spec.whatwg.org/multipage/server-sent-events.html), bytes in.

Servers add to the standard what this reads too: a last event without the blank line after it, a field ``error`` (llama.cpp),
several JSON texts in one event, and one JSON text, or one per line, where events were asked for. Lines are split as bytes:
decoders that split text at every line end of Unicode break JSON that holds U+2028 or U+0085.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from epf.engines.http.errors import RetryableError, StreamBrokeOff

DONE = b"[DONE]"
BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")

END_GRACE_S = 1.0
"""Maximum wait for the end of a response whose last event has arrived. The connection of one that ends can be reused."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its name, ``message`` by default, and its data."""

    name: str
    data: bytes


class SseDecoder:
    """Decodes a stream that arrives in chunks of any size."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._after_return = False
        self._first = True
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that ``chunk`` completes."""
        if self._after_return:  # a line feed after a carriage return ends the same line
            self._after_return = False
            chunk = chunk.removeprefix(b"\n")
        self._pending += chunk
        if b"\n" not in chunk and b"\r" not in chunk:  # do not scan a long line again and again
            return []
        self._after_return = self._pending.endswith(b"\r")
        *lines, self._pending = map(bytearray, _LINE_END.split(self._pending))
        return [event for line in lines for event in self._line(bytes(line))]

    def end(self) -> list[ServerSentEvent]:
        """Return the event that the end of the stream completes."""
        return [*self._line(bytes(self._pending)), *self._line(b"")] if self._pending else self._line(b"")

    def _line(self, line: bytes) -> list[ServerSentEvent]:
        if self._first:
            self._first, line = False, line.removeprefix(BOM)
        if not line:
            name, data = self._name or "message", self._data
            self._name, self._data = "", []
            return [ServerSentEvent(name, b"\n".join(data))] if data else []
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field in (b"data", b"error"):
            self._data.append(value)
        if field in (b"event", b"error"):
            self._name = "error" if field == b"error" else value.decode(errors="replace")
        return []


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the JSON objects of a response that was asked for as a stream, up to ``[DONE]``.

    An event named ``error`` is yielded as ``{"error": ...}``.

    Raises:
        StreamBrokeOff: the stream ends without ``[DONE]``.
        RetryableError: an event is not a JSON object.
    """
    decoder = SseDecoder()
    whole = bytearray()
    begun = False
    async for chunk in chunks:
        if not begun:
            whole += chunk
            start = whole.lstrip(BOM + b" \t\r\n")
            if not start:
                continue
            begun, chunk = True, bytes(whole)
            if bytes(start[:1]) in (b"{", b"["):
                async for more in chunks:
                    whole += more
                for value in _values(bytes(whole).removeprefix(BOM)):
                    yield _object(value)
                return
        for event in decoder.feed(chunk):
            for value in _values(event.data):
                if value is DONE:
                    await _read_on(chunks)
                    return
                yield _object({"error": value} if event.name == "error" and not _is_error(value) else value)
    for event in decoder.end():
        for value in _values(event.data, last=True):
            if value is DONE:
                return
            yield _object(value)
    raise StreamBrokeOff


def _values(data: bytes, *, last: bool = False) -> list[Any]:
    """JSON values in ``data``: one, or one per line. ``DONE`` stands for itself; an unreadable rest of a stream is left out."""
    if data.strip() == DONE:
        return [DONE]
    try:
        return [json.loads(data)]
    except (ValueError, RecursionError):
        lines = [line.strip() for line in data.splitlines() if line.strip()]
        if len(lines) > 1:
            return [value for line in lines for value in _values(line, last=last)]
    if last or not data.strip():
        return []
    raise RetryableError("an event of the stream is not JSON")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RetryableError("an event of the stream is not a JSON object")
    return value


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and "error" in value


async def _read_on(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of the response, unless the server keeps it open."""
    try:
        async with asyncio.timeout(END_GRACE_S):
            async for _ in chunks:
                pass
    except TimeoutError:
        pass
