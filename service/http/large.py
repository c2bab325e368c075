"""Responses of any size, which are written in pieces: one of 50 MB would otherwise be copied several times in one turn."""

from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE: Final = 256 * 1024
"""Bytes that are written at a time. The next piece waits until the client has read most of what is under way."""


class LargeResponse(Response):
    """A response whose content is finished, and is not copied before it is sent."""

    def __init__(self, content: bytes | memoryview, *, media_type: str, status_code: int = 200) -> None:
        super().__init__(status_code=status_code, media_type=media_type)
        self._content = memoryview(content)
        self.headers["content-length"] = str(len(content))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send head and content."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for begin in range(0, len(self._content), PIECE):
            await send({"type": "http.response.body", "body": bytes(self._content[begin : begin + PIECE]), "more_body": True})
        await send({"type": "http.response.body"})
