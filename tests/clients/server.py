"""The servers that a client is tried on, in one process, until its standard input closes: their addresses are its first line.

``real`` has the embedded pair. The others have fakes: ``overloaded`` refuses every other request, ``faulty`` fails after a
search's first step, and ``endless`` never ends a search; its ``/running`` counts the steps that are under way.
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
from tests.clients.cases import KEY, RETRY_AFTER_S
from tests.service.chat.writing import Judge, Writer
from tests.service.serving import served


class EveryOther:
    """Refuses the first of two requests."""

    def __init__(self, others: Admission) -> None:
        self._others = others
        self._n_asked = 0

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """A ticket, or Overloaded."""
        self._n_asked += 1
        if self._n_asked % 2:
            raise Overloaded("The server is full: try again later.", retry_after_s=RETRY_AFTER_S)
        return self._others.enter(caller, n_particles)


def endless() -> FastAPI:
    """An application whose searches never end."""
    writer = Writer(gate=asyncio.Event())
    app = application(writer)

    @app.get("/running")
    async def running() -> int:
        return writer.n_running

    return app


def application(writer: Writer | None = None) -> FastAPI:
    """The service with one key, over a fake or over the embedded pair."""
    settings = Settings(api_keys={"tests": SecretStr(KEY)})
    return create_app(writer, writer and Judge(), settings)


async def main() -> None:
    """Serve until standard input closes."""
    overloaded = application(Writer())
    apps = {
        "real": application(),
        "overloaded": overloaded,
        "faulty": application(Writer(error=GeneratorError("the engine went away"), error_at=2)),
        "endless": endless(),
    }
    urls = {}
    async with AsyncExitStack() as stack:
        for name, app in apps.items():
            host, port = await stack.enter_async_context(served(app))
            urls[name] = f"http://{host}:{port}"
        while not all(hasattr(app.state, "searches") for app in apps.values()):
            await asyncio.sleep(0.01)
        overloaded.state.searches._admission = EveryOther(overloaded.state.admission)
        print(json.dumps(urls), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
