"""The HTTP/1.1 protocol of uvicorn, which reads what arrives in pieces that are shared out over the turns of the event loop.

A body that comes in a hundred thousand chunks, or a head of thousands of headers, otherwise costs seconds in one turn.
"""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from epf.core.turns import turns

PIECE: Final = 1024
"""Bytes that are parsed at a time. In the smallest chunks they take a few milliseconds."""
WHOLE: Final = 64 * 1024
"""Bytes of a body of known length, which is not parsed but only counted."""


class PatientProtocol(H11Protocol):
    """Parses a few pieces per turn, and reads nothing more from the socket until it has parsed what it has."""

    flow: "_Flow"

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._unread = bytearray()
        self._parsing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        self._unread += data
        if not self._parsing:
            self._parsing = True
            turns().do(self._parse_next)
        if self._parsing:
            self.flow.hold()

    def parse(self, piece: bytes) -> None:
        """Parse one piece, and do what the requests in it ask for."""
        super().data_received(piece)

    def _parse_next(self) -> None:
        """Parse one piece. The next one has to wait until others had their turn."""
        size = WHOLE if self._is_in_body_of_known_length() else PIECE
        piece = bytes(self._unread[:size])
        del self._unread[:size]
        if not self.transport.is_closing():
            self.parse(piece)
        self._parsing = bool(self._unread)
        if self._parsing:
            turns().do_later(self._parse_next)
        else:
            self.flow.release()

    def _is_in_body_of_known_length(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY and all(name != b"transfer-encoding" for name, _ in self.headers)


class _Flow(FlowControl):
    """Flow control that also stops reading while bytes wait to be parsed."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.held = False
        self._paused = False

    def pause_reading(self) -> None:
        """Stop reading because the application has enough."""
        self._paused = True
        super().pause_reading()

    def resume_reading(self) -> None:
        """Read on, at the latest when everything is parsed."""
        self._paused = False
        if not self.held:
            super().resume_reading()

    def hold(self) -> None:
        """Stop reading because something waits to be parsed."""
        self.held = True
        super().pause_reading()

    def release(self) -> None:
        """Read on unless the application has enough."""
        self.held = False
        if not self._paused:
            super().resume_reading()
