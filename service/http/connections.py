"""Connections with limits: a uvicorn protocol that closes those that take too long and those for which there is no room.

uvicorn limits the time between requests only. A half-sent head, a body that trickles in after its request was refused, and a
response that nobody reads would keep their connections for ever, and each connection takes one of the process's file
descriptors. uvicorn's own ``limit_concurrency`` is not used: it refuses probes, too.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any, Final, Literal, Protocol, TypeAlias

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.core.errors import HeadTooSlow, Overloaded, RateLimited, SearchServiceError
from epf.service.http.crowd import Crowd, Full, address_of, for_requests
from epf.service.http.errors import response_to
from epf.service.http.heads import BoundedConnection
from epf.service.http.middleware.probes import CROWDED
from epf.service.http.protocol import PatientProtocol
from epf.service.operations.connection_states import Closed, State
from epf.service.settings import Settings

logger = logging.getLogger(__name__)

PROGRESS_BYTES: Final = 16 * 1024
"""Whoever reads less than this from a full buffer within ``send_timeout_s`` reads nothing."""

FOR_CONNECTIONS: Final = 0.5
"""Fraction of the process's file descriptors that connections of clients may take. Requests to the models' servers, worker
processes and files need the others."""

TimeLimit: TypeAlias = Literal["idle", "head", "body", "send", "end"]
"""What a connection waits for; at last for the client to end it."""

LINGER_S: Final = 2.0
"""Time for a refused client to read why. A connection that is closed while bytes still arrive loses its last response."""

RETRY_AFTER_S: Final = 1.0
MADE_ROOM: Final = "The server closed this connection to make room for another one: send the request again."


class Counts(Protocol):
    """Metrics of connections."""

    def watch_connections(self, n: Callable[[State], float]) -> None:
        """Call ``n`` for the number of connections in a state whenever the metrics are read."""

    def connection_closed(self, reason: Closed) -> None:
        """Count a connection that was closed because of a limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of each connection, in seconds and bytes."""

    head_timeout_s: float
    body_timeout_s: float
    send_timeout_s: float
    idle_timeout_s: float
    max_head_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits in the settings."""
        return cls(
            settings.head_timeout_s,
            settings.body_timeout_s,
            settings.send_timeout_s,
            settings.idle_timeout_s,
            settings.max_head_bytes,
        )


def crowd_of(settings: Settings) -> Crowd:
    """The connections that the settings allow, at most half as many as the process may open files.

    Logs a warning if the files limit them and the searches that may run and wait could need more.
    """
    max_files = getrlimit(RLIMIT_NOFILE)[0]
    most = min(settings.max_connections, max(int(max_files * FOR_CONNECTIONS), 1))
    wanted = min(settings.max_connections, settings.max_particles_in_flight + settings.max_particles_queued)
    if most < wanted:
        logger.warning(
            "at most %d connections, half of the %d files that this process may open: raise that limit (ulimit -n)",
            most,
            max_files,
        )
    return Crowd(most, settings.max_connections_per_address)


def protocol_of(settings: Settings, counts: Counts | None) -> Callable[..., "LimitedConnection"]:
    """What uvicorn makes its connections with, for one server."""
    crowd = crowd_of(settings)
    if counts is not None:
        counts.watch_connections(crowd.n)
    return partial(LimitedConnection, crowd=crowd, limits=Limits.of(settings), counts=counts)


class LimitedConnection(PatientProtocol):
    """One connection. uvicorn reads requests and writes responses; this class watches how long that takes."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        crowd: Crowd,
        limits: Limits,
        counts: Counts | None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn: BoundedConnection = BoundedConnection(limits.max_head_bytes)
        self._inner: ASGIApp = self.app
        self.app = self._marked
        self._crowd = crowd
        self._limits = limits
        self._counts = counts
        self._state: State = "idle"
        self._watched: tuple[TimeLimit, object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._n_unread = 0
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or refuse the connection if no other one can make room."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self._watch()
        full = self._crowd.enter(self, address_of(self.client[0] if self.client else None))
        if full is not None:
            self._count("refused")
            self._write(_refusal(full, self._crowd))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._stop_timer()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def parse(self, piece: bytes) -> None:
        """Parse what arrived. What follows a refusal is dropped."""
        if self._refused:
            return
        super().parse(piece)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Write again."""
        super().resume_writing()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for long."""
        super().timeout_keep_alive_handler()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not a request within the limits."""
        self._refuse(self.conn.refusal, "invalid")

    def give_way(self) -> None:
        """Close the connection at once, to make room for another. A client that is sending a request learns that."""
        self._count("gave_way")
        self._crowd.leave(self)
        if self._expects_response():
            self._write(Overloaded(MADE_ROOM, retry_after_s=RETRY_AFTER_S))
            self.transport.close()
        else:
            self.transport.abort()

    def _expects_response(self) -> bool:
        """Whether the client may be sending a request whose response has not begun."""
        if self._refused or self.transport.is_closing() or self.transport.get_write_buffer_size():
            return False
        if self.cycle is None or self._state == "waiting":
            return self.cycle is None or self.conn.their_state is h11.IDLE
        return self._state == "body" and not self.cycle.response_started

    def _should_upgrade(self) -> bool:
        """Whether to speak another protocol. An offer is ignored, as HTTP allows; uvicorn would log two warnings about it."""
        return False

    def _watch(self) -> None:
        """Find out what the connection waits for, and start the time limit of that if it is something new."""
        state, waits_for, limit_s = self._situation()
        if state != self._state:
            self._state = state
            self._crowd.move(self, state)
        watched = None if waits_for is None else (waits_for, self.cycle)
        if watched == self._watched:
            return
        self._stop_timer()
        self._watched = watched
        if waits_for is not None:
            self._n_unread = self.transport.get_write_buffer_size()
            self._timer = self.loop.call_later(limit_s, self._over)

    def _situation(self) -> tuple[State, TimeLimit | None, float]:
        """The state, what the connection waits for that has a time limit here, and that limit in seconds."""
        limits, theirs = self._limits, self.conn.their_state
        if self._refused:
            return "waiting", "end", LINGER_S
        if self.transport.is_closing():
            return "waiting", "send", limits.send_timeout_s
        responding = self.cycle is not None and not self.cycle.response_complete
        if self.flow.write_paused:
            return "busy" if responding else "waiting", "send", limits.send_timeout_s
        if responding:  # the application limits the time for the body
            return "body" if theirs is h11.SEND_BODY else "busy", None, 0.0
        if theirs is h11.SEND_BODY:  # of a request that was refused before its end
            return "waiting", "body", limits.body_timeout_s
        if theirs is h11.IDLE and self.conn.trailing_data[0]:
            return "waiting", "head", limits.head_timeout_s
        if self.cycle is None:  # uvicorn limits the time after a response
            return "idle", "idle", limits.idle_timeout_s
        return "idle", None, 0.0

    def _over(self) -> None:
        """The time limit is over."""
        assert self._watched is not None
        waits_for = self._watched[0]
        n_unread = self.transport.get_write_buffer_size()
        if waits_for == "send" and n_unread <= self._n_unread - PROGRESS_BYTES:
            self._n_unread = n_unread
            self._timer = self.loop.call_later(self._limits.send_timeout_s, self._over)
            return
        self._timer = None
        if waits_for == "head":
            limit = f"The head of a request must arrive within {self._limits.head_timeout_s:g} s"
            self._refuse(HeadTooSlow(f"{limit}: send it without delay."), "head")
            return
        if waits_for != "end":
            self._count(waits_for)
        self.transport.abort()

    def _refuse(self, refusal: SearchServiceError, reason: Closed) -> None:
        """Respond outside of the application and read no more; only close the connection if a response has begun."""
        self._count(reason)
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._write(refusal)
        self.transport.write_eof()
        self._refused = True
        self._watch()

    def _write(self, refusal: SearchServiceError) -> None:
        response = response_to(refusal)
        response.headers["connection"] = "close"
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in response.raw_headers)
        first = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}\r\n"
        self.transport.write(first.encode() + lines + b"\r\n" + bytes(response.body))

    async def _marked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, which refuses the request if the server is too full."""
        full = self._crowd.begin(self)
        if full is not None:
            scope[CROWDED] = _refusal(full, self._crowd)
        try:
            await self._inner(scope, receive, send)
        finally:
            self._crowd.end(self)

    def _count(self, reason: Closed) -> None:
        if self._counts is not None:
            self._counts.connection_closed(reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _refusal(full: Full, crowd: Crowd) -> SearchServiceError:
    if full == "address":
        message = "There are too many connections from your address: close some, or raise EPF_MAX_CONNECTIONS_PER_ADDRESS."
        return RateLimited(message, retry_after_s=RETRY_AFTER_S)
    limit = f"The server is working on {for_requests(crowd.max_connections)} connections, its limit"
    return Overloaded(f"{limit}: try again later, or raise EPF_MAX_CONNECTIONS on the server.", retry_after_s=RETRY_AFTER_S)
