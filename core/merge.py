"""One stream of the items that several producers emit at the same time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def merge(producers: Iterable[Callable[[Callable[[T], None]], Coroutine[Any, Any, object]]]) -> AsyncGenerator[T, None]:
    """Run ``producers`` concurrently and yield what they emit, in the order in which they emit it.

    Each producer is called once with the function that takes its items, which never blocks. The first error cancels all
    producers and is raised after the items that were emitted before it. Closing the generator cancels all producers too; none
    of them outlives it.
    """
    emitted: asyncio.Queue[T | asyncio.Task[object]] = asyncio.Queue()
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(producer(emitted.put_nowait)) for producer in producers]
    for task in tasks:
        task.add_done_callback(emitted.put_nowait)
    n_open = len(tasks)
    try:
        while n_open:
            item = await emitted.get()
            if isinstance(item, asyncio.Task):
                item.result()
                n_open -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
