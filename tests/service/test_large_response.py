"""A response of any size on a real socket: it is written in pieces and arrives whole."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from epf.service.http.large import PIECE, LargeResponse
from tests.service.serving import GUARD_S, posted, served


@pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 1])
def test_it_is_written_in_pieces_and_arrives_whole(size: int) -> None:
    content = bytes(k % 251 for k in range(size))
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def recording(message: Message) -> None:
            sizes.append(len(message.get("body", b"")))
            await send(message)

        if scope["type"] == "http":
            await LargeResponse(memoryview(content), media_type="application/json")(scope, receive, recording)

    async def exchange() -> bytes:
        async with (
            asyncio.timeout(GUARD_S),
            served(app) as address,
            posted(address, "/", {}, connection="close") as client,
        ):
            return await client.reader.read()

    head, _, body = asyncio.run(exchange()).partition(b"\r\n\r\n")
    assert f"content-length: {size}".encode() in head.lower()
    assert body == content
    assert max(sizes) <= PIECE
