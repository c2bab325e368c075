"""Models that are loaded while the server answers already."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from epf.service.operations.lifecycle import Lifecycle
from epf.service.searches.models import Models


@asynccontextmanager
async def in_background(
    models: AbstractAsyncContextManager[Models], begin: Callable[[Models], None], lifecycle: Lifecycle
) -> AsyncIterator[None]:
    """Load ``models`` in a task of their own, hand them to ``begin``, and close them at the end.

    What goes wrong in loading is noted in ``lifecycle``, for the server to end with. Leaving the block does not wait for models
    that are still being loaded.
    """

    async def hold() -> None:
        try:
            async with models as loaded:
                begin(loaded)
                await asyncio.Event().wait()
        except Exception as error:
            if lifecycle.models:
                raise
            lifecycle.failure = error

    holding = asyncio.create_task(hold())
    try:
        yield
    finally:
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding
