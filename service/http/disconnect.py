"""Work that ends when its client does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed its connection before the answer was ready."""


async def until_client_leaves(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Await ``work``; cancel it, wait until it has cleaned up and raise ``ClientGone`` if the client goes away first.

    The request's body must have been read, so that the next thing to receive is the disconnect.
    """
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnect(receive))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        leaving.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
