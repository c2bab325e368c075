"""Lines that are computed at the same time and printed in their order."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def print_in_order(texts: Iterable[Coroutine[Any, Any, str]]) -> None:
    """Run all of ``texts`` at once and print what each returns, in their order. The first error cancels the others."""
    tasks = [asyncio.create_task(text) for text in texts]
    try:
        for task in tasks:
            print(await task, flush=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
