"""Work that is cancelled when its client disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

CLIENT_GONE = 499
"""Status in logs and metrics of a request whose client disconnected before the response."""

T = TypeVar("T")


class ClientGone(Exception):
    """The client disconnected before the response was ready."""


async def cancel_on_disconnect(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Await ``work``. If the client disconnects first, cancel it, wait for its cleanup and raise ``ClientGone``.

    The request's body must have been read, so that the next message to receive is the disconnect.
    """
    task = asyncio.create_task(work)
    disconnect = asyncio.create_task(_disconnect(receive))
    try:
        await asyncio.wait((task, disconnect), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        disconnect.cancel()
        await asyncio.gather(task, disconnect, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
