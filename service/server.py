"""An application on a socket: uvicorn, and the way to the end when the process is told to stop."""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from epf.core.errors import InvalidRequest, SearchServiceError
from epf.service.http.middleware.stack import UVICORN
from epf.service.operations.lifecycle import Lifecycle
from epf.service.settings import Settings

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 75
"""Longer than balancers keep an idle connection, so that none sends a request into one that is being closed."""
CLOSING_S = 3
"""After all work has ended, a client may take so long to read the rest of its answer."""


class Server(uvicorn.Server):
    """uvicorn that drains.

    SIGTERM or SIGINT: from now on /readyz tells a balancer to send no more, and for ``drain_notice_s`` what it sends is still
    taken. Then it is refused, and what is under way has ``drain_s`` to end; at their end it is answered with the best so far.
    A second signal ends the process at once.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, settings: Settings) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._settings = settings
        self._told_of_start = False

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until there is nothing left to do."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)
        if not self._lifecycle.models and self._lifecycle.failure is None:
            # A thread is loading models and cannot be interrupted: the process would wait for it, maybe for minutes.
            for child in multiprocessing.active_children():
                child.terminate()
            os._exit(0)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; called several times a second."""
        if self._lifecycle.models and not self._told_of_start:
            self._told_of_start = True
            logger.info("running on %s", _url(self.servers[0].sockets[0]))
        return await super().on_tick(counter) or self._lifecycle.failure is not None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; another signal has the effect that it has by itself."""
        for handled in (signal.SIGTERM, signal.SIGINT):
            signal.signal(handled, signal.SIG_DFL)
        self._loop.call_soon_threadsafe(self._begin_to_drain)

    def _begin_to_drain(self) -> None:
        self._lifecycle.draining = True
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        notice_s, drain_s = self._settings.drain_notice_s, self._settings.drain_s
        if self._lifecycle.models:
            told = "told to stop: takes work for %g s, then ends what is under way within %g s; a second signal ends it at once"
            logger.info(told, notice_s, drain_s)
            await asyncio.sleep(notice_s)
            await self._lifecycle.end(drain_s)
        self.should_exit = True


def run(app: FastAPI, settings: Settings) -> None:
    """Serve ``app``, which has a lifecycle in its state, until the process is told to stop and has ended its work.

    Raises:
        InvalidRequest: nothing can listen where the settings say.
        SearchServiceError: the models could not be loaded.
    """
    lifecycle: Lifecycle = app.state.lifecycle
    with listen(settings.host, settings.port) as listening:
        config = uvicorn.Config(
            app,
            **UVICORN,
            lifespan="on",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=CLOSING_S,
        )
        logger.info("listening on %s", _url(listening))
        Server(config, lifecycle, settings).run([listening])
    failure = lifecycle.failure
    if isinstance(failure, SearchServiceError):
        raise failure
    if failure is not None:
        words = " ".join(str(failure).split())
        raise SearchServiceError(f"the models could not be loaded: {type(failure).__name__}: {words}") from failure


def listen(host: str, port: int) -> socket.socket:
    """A socket whose connections send at once.

    asyncio sees to that for sockets of its own making only; without it an answer's body waits 40 ms for its head to be
    acknowledged.

    Raises:
        InvalidRequest: nothing can listen there.
    """
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        message = f"cannot listen on {host}, port {port}: {why}: choose another with --host and --port"
        raise InvalidRequest(f"{message} or EPF_HOST and EPF_PORT", param="port") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections take it over
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
