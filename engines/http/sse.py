"""Server-sent events as OpenAI-compatible servers write them: one line of data each, the last one ``[DONE]``."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from epf.engines.http.errors import RetryableError, UpstreamRejected

DONE = b"[DONE]"


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON object of each event; comments, which keep a connection open, are none.

    Lines end at line feeds alone: text within JSON may hold what Unicode counts as a line's end.

    Raises:
        RetryableError: the stream ends before ``[DONE]``, or holds an event that is no JSON object or the server's own failure.
        UpstreamRejected: an event says that the request was wrong.
    """
    pending, done = bytearray(), False
    async for chunk in chunks:
        pending += chunk
        if b"\n" not in chunk:  # a long line is not looked through again and again
            continue
        *lines, pending = pending.split(b"\n")
        for line in lines:
            name, _, data = line.partition(b":")
            if name != b"data" or done:
                continue
            if data.strip() == DONE:
                done = True  # what follows is read all the same, else the connection could not be used again
            else:
                yield _event(data)
    if not done:
        raise RetryableError("the stream broke off", unreachable=True)


def object_of(content: bytes | bytearray) -> dict[str, Any] | None:
    """A JSON object, None for anything else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _event(data: bytes | bytearray) -> dict[str, Any]:
    event = object_of(data)
    if event is None:
        raise RetryableError("an event of the stream is no JSON object")
    if (error := event.get("error")) is not None:
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 500:
            raise UpstreamRejected(code, error)
        raise RetryableError("the server failed within its stream")
    return event
