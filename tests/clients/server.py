"""The servers that clients are tried on, in one process that runs until its standard input closes.

The first line of its output has the addresses, as JSON. ``real`` serves the pair ``stories``, the others serve fakes:
``overloaded`` rejects every other request, ``limited`` accepts 60 per minute, ``faulty`` fails after the first step of a
search, and ``endless`` never finishes a search; its ``/running`` returns the number of steps in progress.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

from fastapi import FastAPI
from pydantic import SecretStr

from epf.core.errors import GeneratorError, Overloaded
from epf.service.app import create_app
from epf.service.searches.admission import Admission, Ticket
from epf.service.settings import Settings
from epf.service.state import ServiceState
from tests.clients.cases import KEY, RETRY_AFTER_S
from tests.service.chat.writing import Judge, Writer
from tests.service.serving import searches_of, served


class EveryOther:
    """Rejects the first of two requests."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._n_requests = 0

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """Return a ticket, or raise Overloaded."""
        self._n_requests += 1
        if self._n_requests % 2:
            raise Overloaded("The server is full: try again later.", retry_after_s=RETRY_AFTER_S)
        return self._admission.enter(caller, n_particles)


def endless() -> FastAPI:
    """Return an application whose searches never finish."""
    writer = Writer(gate=asyncio.Event())
    app = application(writer)

    @app.get("/running")
    async def running() -> int:
        return writer.n_running

    return app


def application(writer: Writer | None = None, **limits: int) -> FastAPI:
    """Return the service with one key, over a fake generator or over the pair ``stories``."""
    settings = Settings(generator="stories", api_keys={"tests": SecretStr(KEY)}, **limits)  # type: ignore[arg-type]
    return create_app(writer, None if writer is None else Judge(), settings)


async def main() -> None:
    """Serve until standard input closes."""
    overloaded = application(Writer())
    apps = {
        "real": application(),
        "overloaded": overloaded,
        "limited": application(Writer(), max_requests_per_minute=60),
        "faulty": application(Writer(error=GeneratorError("the engine went away"), error_at=2)),
        "endless": endless(),
    }
    urls = {}
    async with AsyncExitStack() as stack:
        for name, app in apps.items():
            host, port = await stack.enter_async_context(served(app))
            urls[name] = f"http://{host}:{port}"
        while not all(ServiceState.of(app).searches is not None for app in apps.values()):
            await asyncio.sleep(0.01)
        searches_of(overloaded)._admission = EveryOther(ServiceState.of(overloaded).admission)
        print(json.dumps(urls), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
