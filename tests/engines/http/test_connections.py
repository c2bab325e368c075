"""Reading server-sent events: whatever the chunks, whatever the text."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from epf.engines.http.connections import events_of
from epf.engines.http.errors import RetryableError, UpstreamRejected


def read(body: bytes, size: int) -> list[dict[str, Any]]:
    """Events of ``body`` where it comes in chunks of ``size``."""

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    async def main() -> list[dict[str, Any]]:
        return [event async for event in events_of(chunks())]

    return asyncio.run(main())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_end_at_line_feeds_alone_and_chunks_anywhere(end: str) -> None:
    told = [{"text": "a\u2028b\u0085c\x0bd"}, {"text": "data: [DONE]\n\n€"}]
    lines = [
        ": hello",
        "",
        "event: x",
        *(part for event in told for part in (f"data:{json.dumps(event, ensure_ascii=False)}", "")),
    ]
    body = end.join([*lines, "data: [DONE]", "", "data: 5", ""]).encode()
    for size in (1, 2, 3, 7, len(body)):
        assert read(body, size) == told


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", RetryableError),
        (b'data: {"a": 1}\n\n', RetryableError),
        (b"data: [DONE]", RetryableError),
        (b'data: "text"\n\ndata: [DONE]\n', RetryableError),
        (b"data: " + b"[" * 100_000 + b"\n\ndata: [DONE]\n", RetryableError),
        (b'data: {"error": "no"}\n\ndata: [DONE]\n', RetryableError),
        (b'data: {"error": {"code": 500}}\n\ndata: [DONE]\n', RetryableError),
        (b'data: {"error": {"code": 404}}\n\ndata: [DONE]\n', UpstreamRejected),
    ],
)
def test_what_is_no_whole_stream_is_told_from_a_refusal(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(body, 1000)
