"""Several searches of one request at the same time, their events in one stream."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from epf.search.events import Event


async def side_by_side(searches: Sequence[AsyncGenerator[Event, None]]) -> AsyncGenerator[tuple[int, Event], None]:
    """Events as they happen, each with the index of its search.

    The first error ends all searches and is raised; closing this generator ends them too. None outlives it.
    """
    events: asyncio.Queue[tuple[int, Event] | asyncio.Task[None]] = asyncio.Queue()

    async def pump(index: int, search: AsyncGenerator[Event, None]) -> None:
        async with aclosing(search):
            async for event in search:
                events.put_nowait((index, event))

    tasks = [asyncio.create_task(pump(index, search)) for index, search in enumerate(searches)]
    for task in tasks:
        task.add_done_callback(events.put_nowait)
    n_open = len(tasks)
    try:
        while n_open:
            told = await events.get()
            if isinstance(told, asyncio.Task):
                told.result()
                n_open -= 1
            else:
                yield told
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
