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


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\n", b"\xef\xbb\xbf: hello\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_in_the_standard_and_chunks_end_anywhere(end: str, start: bytes) -> None:
    events = [{"text": "a\u2028b\u0085c\x0bd"}, {"text": "data: [DONE]\n\n€"}]
    lines = [
        ": hello",
        "",
        "event: x",
        *(part for event in events for part in (f"data:{json.dumps(event, ensure_ascii=False)}", "")),
    ]
    body = start + end.join([*lines, "data: [DONE]", "", "data: 5", ""]).encode()
    for size in (1, 2, 3, 7, len(body)):
        assert read(body, size) == events


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b'\xef\xbb\xbfdata: {"a": 1}\n\ndata: [DONE]', [{"a": 1}]),
        (b'data: {"a":\ndata: 1}\n\ndata: [DONE]', [{"a": 1}]),
        (b'data: {"a": 1}\ndata: {"a": 2}\ndata: [DONE]\n', [{"a": 1}, {"a": 2}]),
        (b'id: 7\nevent: x\nretry: 5\ndata: {"a": 1}\nother: {"a": 2}\n\ndata:[DONE]\n\n', [{"a": 1}]),
        (b'data\n\ndata:\n\ndata: \n\ndata: {"a": 1}\n\ndata: [DONE]\n\n', [{"a": 1}]),
        (b'\n {"a": [1,\n 2]}\n', [{"a": [1, 2]}]),
        (b'\xef\xbb\xbf{"a": 1}', [{"a": 1}]),
        (b'{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
    ],
)
def test_events_of_other_shapes(body: bytes, events: list[dict[str, Any]]) -> None:
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
        (b'data: {"error": {"code": "404"}}\n\ndata: [DONE]\n', UpstreamRejected),
        (b'data: {"error": {"type": "invalid_request_error", "message": "no"}}\n\n', UpstreamRejected),
        (b'event: error\ndata: {"code": 422, "message": "no"}\n\n', UpstreamRejected),
        (b'error: {"code": 400, "message": "no"}\n\n', UpstreamRejected),
        (b'error: {"code": 500, "message": "no"}\n\n', RetryableError),
        (b'{"error": {"code": 400}}', UpstreamRejected),
        (b'{"a": 1', RetryableError),
        (b"[1]", RetryableError),
    ],
)
def test_incomplete_streams_are_retryable_and_client_errors_are_not(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(body, 1000)
