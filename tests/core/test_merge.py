"""One stream of several producers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest

from epf.core.merge import merge


def test_items_come_as_they_are_emitted() -> None:
    async def main() -> None:
        turn = asyncio.Event()

        async def first(emit: Callable[[str], None]) -> None:
            emit("a")
            await turn.wait()
            emit("d")

        async def second(emit: Callable[[str], None]) -> None:
            emit("b")
            emit("c")
            turn.set()

        assert [item async for item in merge([first, second])] == ["a", "b", "c", "d"]
        empty: AsyncGenerator[str, None] = merge([])
        assert [item async for item in empty] == []

    asyncio.run(main())


def test_the_first_error_follows_what_was_emitted_before_it_and_ends_all() -> None:
    async def main() -> None:
        cancelled: list[str] = []

        async def fails(emit: Callable[[str], None]) -> None:
            emit("a")
            raise ValueError("down")

        async def waits(emit: Callable[[str], None]) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append("waits")

        items: list[str] = []

        async def collect() -> None:
            stream: AsyncGenerator[str, None] = merge([waits, fails])
            async for item in stream:
                items.append(item)

        with pytest.raises(ValueError, match="down"):
            await collect()
        assert (items, cancelled) == (["a"], ["waits"])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_closing_ends_all_producers() -> None:
    async def main() -> None:
        cancelled: list[int] = []

        async def waits(emit: Callable[[int], None]) -> None:
            emit(1)
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                cancelled.append(1)

        async with aclosing(merge([waits, waits])) as items:
            assert await anext(items) == 1
        assert cancelled == [1, 1]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
