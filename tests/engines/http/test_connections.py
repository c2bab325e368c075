"""Server-sent events, in chunks of any size and with any text."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from epf.engines.http.connections import checked_events
from epf.engines.http.errors import RetryableError, UpstreamRejected


def read(body: bytes, size: int) -> list[dict[str, Any]]:
    """Events of ``body`` received in chunks of ``size`` bytes."""

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    async def main() -> list[dict[str, Any]]:
        return [event async for event in checked_events(chunks(), "http://x")]

    return asyncio.run(main())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_line_feeds_end_lines_and_chunks_end_anywhere(end: str) -> None:
    events = [{"text": "a\u2028b\u0085c\x0bd"}, {"text": "data: [DONE]\n\n€"}]
    lines = [
        ": hello",
        "",
        "event: x",
        *(part for event in events for part in (f"data:{json.dumps(event, ensure_ascii=False)}", "")),
    ]
    body = end.join([*lines, "data: [DONE]", "", "data: 5", ""]).encode()
    for size in (1, 2, 3, 7, len(body)):
        assert read(body, size) == events


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", RetryableError),
        (b'data: {"a": 1}\n\n', RetryableError),
        (b'data: "text"\n\ndata: [DONE]\n', RetryableError),
        (b"data: " + b"[" * 100_000 + b"\n\ndata: [DONE]\n", RetryableError),
        (b'data: {"error": "no"}\n\ndata: [DONE]\n', RetryableError),
        (b'data: {"error": {"code": 500}}\n\ndata: [DONE]\n', RetryableError),
        (b'data: {"error": {"code": 404}}\n\ndata: [DONE]\n', UpstreamRejected),
    ],
)
def test_incomplete_streams_are_retryable_and_client_errors_are_not(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(body, 1000)
