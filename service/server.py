"""Serves an application with uvicorn and drains it when the process receives a stop signal."""

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from functools import partial
from resource import RLIMIT_NOFILE, getrlimit
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from epf.core.errors import InvalidRequest, SearchServiceError
from epf.service.http.connections import Counts, protocol_of
from epf.service.operations.loop_watch import watched_loop
from epf.service.operations.telemetry import telemetry
from epf.service.settings import Settings
from epf.service.state import ServerState

logger = logging.getLogger(__name__)

MAX_ACCEPTED_AT_ONCE: Final = 16
FILES_PER_ACCEPTED: Final = 32
"""File descriptors per new connection between two turns of the event loop. asyncio would accept thousands before it looks at
the first, and run out of descriptors; a connection that made room for another is closed only some turns later."""
QUEUE: Final = 1024
"""Number of new connections that wait in the kernel to be accepted."""
SWITCH_S: Final = 0.001
"""Time after which a thread that computes gives way to the event loop. Python's default is 5 ms, for each wait of the loop."""
CLOSING_S = 3
"""Time for clients to read the rest of their responses after all work has ended."""


class Listening(uvicorn.Server):
    """A uvicorn server with a long queue of connections, of which it accepts few at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections. asyncio has set the kernel's queue to what it accepts at once, which is too short."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(QUEUE)


class Server(Listening):
    """A server that drains.

    After SIGTERM or SIGINT, /readyz reports that the server is draining, and for ``drain_notice_s`` new requests are still
    accepted. After that they are refused, and running requests have ``drain_s`` to finish before they end with the best answer
    so far. A second signal ends the process immediately. SIGHUP reads the keys file again, if there is one.
    """

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self._lifecycle = state.lifecycle
        self._keys = state.keys
        self._settings = state.settings
        self._reported_start = False

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the server has drained."""
        self._loop = asyncio.get_running_loop()
        if self._settings.api_keys_file is not None:
            self._loop.add_signal_handler(signal.SIGHUP, self._read_keys)
        await super().serve(sockets)
        if not self._lifecycle.models and self._lifecycle.failure is None:
            # A thread is loading models and cannot be interrupted. The process would wait for it, possibly for minutes.
            for child in multiprocessing.active_children():
                child.terminate()
            os._exit(0)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; called several times per second."""
        if self._lifecycle.models and not self._reported_start:
            self._reported_start = True
            # Everything loaded so far stays. Looking through it again and again would hold the loop for a tenth of a second.
            gc.freeze()
            logger.info("running on %s", _url(self.servers[0].sockets[0]))
        return await super().on_tick(counter) or self._lifecycle.failure is not None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain. A second signal has its default effect."""
        for handled in (signal.SIGTERM, signal.SIGINT):
            signal.signal(handled, signal.SIG_DFL)
        self._loop.call_soon_threadsafe(self._begin_to_drain)

    def _read_keys(self) -> None:
        self._reading_keys = asyncio.create_task(self._keys.refresh(anew=True))

    def _begin_to_drain(self) -> None:
        self._lifecycle.draining = True
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        notice_s, drain_s = self._settings.drain_notice_s, self._settings.drain_s
        if self._lifecycle.models:
            message = "stopping: accepting requests for %g s, then draining for up to %g s; send the signal again to stop now"
            logger.info(message, notice_s, drain_s)
            await asyncio.sleep(notice_s)
            await self._lifecycle.end(drain_s)
        self.should_exit = True


def run(app: FastAPI, settings: Settings) -> None:
    """Serve ``app`` until the process receives a stop signal and has drained.

    Raises:
        InvalidRequest: the address of the settings is not available.
        SearchServiceError: the models could not be loaded.
    """
    state = ServerState.of(app)
    lifecycle = state.lifecycle
    with listen(settings.host, settings.port) as listening:
        logger.info("listening on %s", _url(listening))
        # Building the document of all routes takes a second. The models are loaded meanwhile. The interpreter must not end
        # before the thread: one that is stopped within compiled code takes the process down with it.
        threading.Thread(target=app.openapi).start()
        sys.setswitchinterval(SWITCH_S)
        loop = partial(watched_loop, state.metrics.loop)
        with telemetry(), asyncio.Runner(loop_factory=loop) as runner:
            runner.run(Server(config_of(app, settings, state.metrics), state).serve([listening]))
    failure = lifecycle.failure
    if isinstance(failure, SearchServiceError):
        raise failure
    if failure is not None:
        reason = " ".join(str(failure).split())
        raise SearchServiceError(f"the models could not be loaded: {type(failure).__name__}: {reason}") from failure


def config_of(app: ASGIApp, settings: Settings, counts: Counts | None = None, *, closing_s: int = CLOSING_S) -> uvicorn.Config:
    """Options of uvicorn: connections with limits, no WebSocket, which no route supports, and logs that we configure."""
    options: dict[str, Any] = {"http": protocol_of(settings, counts), "timeout_keep_alive": settings.idle_timeout_s}
    return uvicorn.Config(
        app,
        **options,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=min(max(getrlimit(RLIMIT_NOFILE)[0] // FILES_PER_ACCEPTED, 1), MAX_ACCEPTED_AT_ONCE),
        timeout_graceful_shutdown=closing_s,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send without delay.

    asyncio sets TCP_NODELAY only on sockets that it creates. Without it the body of a response waits 40 ms for the
    acknowledgement of its header.

    Raises:
        InvalidRequest: the address is not available.
    """
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        message = f"cannot listen on {host}, port {port}: {reason}: choose another address with --host and --port"
        raise InvalidRequest(f"{message} or EPF_HOST and EPF_PORT", param="port") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
