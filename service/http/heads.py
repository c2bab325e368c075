"""Limits on the head of a request: its size, the number of its headers and its version of HTTP."""

import re
from typing import Any, Final

import h11

from epf.core.errors import HeadTooLarge, InvalidRequest, SearchServiceError, UnsupportedVersion

MAX_HEADERS: Final = 256
VERSIONS: Final = (b"1.1", b"1.0")

_END = re.compile(rb"\n\r?\n")
_SHORTEST_HEADER = len(b"a:\n")


class BoundedConnection(h11.Connection):
    """The parser of one connection, which refuses an oversized head before it is parsed.

    h11 limits only a head that is incomplete. One of 250 KB that arrives at once would be parsed, for a tenth
    of a second.

    Attributes:
        refusal: why the last request was refused, once ``next_event`` has raised ``h11.RemoteProtocolError``.
    """

    def __init__(self, max_head_bytes: int) -> None:
        super().__init__(h11.SERVER, max_head_bytes)
        self._max_head_bytes = max_head_bytes
        self.refusal: SearchServiceError = InvalidRequest(
            "This is not a request of HTTP/1.1: check the client and the proxies between it and this server."
        )

    def next_event(self) -> Any:
        """The next event. Raises ``h11.RemoteProtocolError`` for a head beyond the limits or one that is not HTTP/1."""
        if self.their_state is h11.IDLE:
            self._check_size(self.trailing_data[0])
        event = super().next_event()
        if isinstance(event, h11.Request) and event.http_version not in VERSIONS:
            self._refuse(UnsupportedVersion("This server supports HTTP/1.1 and HTTP/1.0 only: use HTTP/1.1."))
        return event

    def _check_size(self, received: bytes) -> None:
        if len(received) <= MAX_HEADERS * _SHORTEST_HEADER:
            return
        end = _END.search(received, 0, self._max_head_bytes + 1)
        if end is None and len(received) > self._max_head_bytes:
            limit = f"The head of a request may have at most {self._max_head_bytes} bytes"
            self._refuse(HeadTooLarge(f"{limit}: send fewer or shorter headers, or raise EPF_MAX_HEAD_BYTES on the server."))
        if received.count(b"\n", 0, self._max_head_bytes if end is None else end.start()) > MAX_HEADERS:
            self._refuse(HeadTooLarge(f"A request may have at most {MAX_HEADERS} headers: send fewer."))

    def _refuse(self, refusal: SearchServiceError) -> None:
        self.refusal = refusal
        raise h11.RemoteProtocolError(refusal.message, error_status_hint=refusal.status)
