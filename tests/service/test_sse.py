"""Responses of server-sent events, driven step by step: what is sent when, and how the generator ends."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import pytest

from epf.service.http.sse import PING, EventStream

GUARD_S = 30


class Client:
    """An ASGI client that records what it is sent. ``gone`` is its disconnect; it does not read while ``stalled``."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.gone = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reading.wait()
        self.messages.append(message)

    @property
    def body(self) -> str:
        return b"".join(message.get("body", b"") for message in self.messages).decode()

    @property
    def ended(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", self.messages[-1]["type"].endswith("start"))


class Frames:
    """The frames of a test, and the task in which each part of the generator ran."""

    def __init__(self, *, frames: tuple[str, ...] = (), then: Exception | None = None, wait: bool = False) -> None:
        self.frames = frames
        self.then = then
        self.wait = wait
        self.waiting = asyncio.Event()
        self.closed = asyncio.Event()
        self.cancelled = False
        self.tasks: set[Any] = set()

    async def __call__(self) -> AsyncGenerator[str, None]:
        try:
            for frame in self.frames:
                self.tasks.add(asyncio.current_task())
                yield frame
            if self.wait:
                self.waiting.set()
                await asyncio.Event().wait()
            if self.then is not None:
                raise self.then
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.tasks.add(asyncio.current_task())
            await asyncio.sleep(0)  # cleanup may take a while
            self.closed.set()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def guarded() -> None:
        async with asyncio.timeout(GUARD_S):
            await scenario
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left"

    asyncio.run(guarded())


def stream(frames: Frames, **options: Any) -> EventStream:
    return EventStream(frames(), lambda error: f"data: {type(error).__name__}\n\n", **options)


async def respond(response: EventStream, client: Client) -> None:
    await response({"type": "http"}, client.receive, client.send)


def test_frames_arrive_in_order_with_the_headers_of_a_stream() -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(frames=("a\n\n", "b\n\n"))
        await respond(stream(frames), client)
        assert client.body == "a\n\nb\n\n"
        assert client.ended
        start = client.messages[0]
        headers = dict(start["headers"])
        assert start["status"] == 200
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"cache-control"] == b"no-cache"
        assert headers[b"x-accel-buffering"] == b"no"
        assert b"content-length" not in headers

    run(scenario())


def test_without_frames_the_stream_is_empty() -> None:
    async def scenario() -> None:
        client = Client()
        await respond(stream(Frames(), keep_alive_s=0.001), client)
        assert client.messages[0]["status"] == 200
        assert client.body == ""
        assert client.ended

    run(scenario())


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), TimeoutError("x")])
def test_error_before_the_first_frame_is_raised_and_nothing_sent(error: Exception) -> None:
    async def scenario() -> None:
        client = Client()
        with pytest.raises(type(error)):
            await respond(stream(Frames(then=error)), client)
        assert client.messages == []

    run(scenario())


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), TimeoutError("x")])
def test_error_after_the_first_frame_is_the_last_frame(error: Exception) -> None:
    async def scenario() -> None:
        client = Client()
        await respond(stream(Frames(frames=("a\n\n",), then=error)), client)
        assert client.body == f"a\n\ndata: {type(error).__name__}\n\n"
        assert client.ended

    run(scenario())


@pytest.mark.parametrize("before", [(), ("a\n\n",)])
def test_comments_keep_an_idle_stream_alive_even_before_its_first_frame(before: tuple[str, ...]) -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(frames=before, wait=True)
        responding = asyncio.create_task(respond(stream(frames, keep_alive_s=0.001), client))
        while client.body.count(PING) < 3:
            await asyncio.sleep(0)
        assert client.messages[0]["status"] == 200
        assert client.body.startswith("".join(before) + PING)
        client.gone.set()
        await responding
        assert frames.closed.is_set()

    run(scenario())


def test_error_after_a_comment_is_in_the_stream() -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(then=ValueError("x"))

        async def slow() -> AsyncGenerator[str, None]:
            while PING not in client.body:
                await asyncio.sleep(0)
            async for frame in frames():
                yield frame

        await respond(EventStream(slow(), lambda error: "data: failed\n\n", keep_alive_s=0.001), client)
        assert client.body.endswith("data: failed\n\n")

    run(scenario())


@pytest.mark.parametrize("before", [(), ("a\n\n",)])
def test_a_disconnect_cancels_the_generator_and_its_end_is_awaited(before: tuple[str, ...]) -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(frames=before, wait=True)
        responding = asyncio.create_task(respond(stream(frames), client))
        await frames.waiting.wait()
        client.gone.set()
        await responding
        assert frames.cancelled
        assert frames.closed.is_set()
        assert not client.ended
        assert len(frames.tasks) == 1, "one task runs the generator from its first line to its last"

    run(scenario())


def test_a_client_that_disconnected_before_is_sent_nothing() -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(wait=True)
        client.gone.set()
        await respond(stream(frames), client)
        assert client.messages == []
        assert frames.closed.is_set() or not frames.tasks, "what was started is closed"

    run(scenario())


def test_a_client_that_reads_nothing_counts_as_disconnected() -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(frames=("a\n\n", "b\n\n"), wait=True)
        client.reading.clear()
        await respond(stream(frames, send_timeout_s=0.01), client)
        assert client.messages == []
        assert frames.closed.is_set()

    run(scenario())


def test_a_broken_connection_counts_as_a_disconnect() -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(frames=("a\n\n",), wait=True)

        async def broken(message: Any) -> None:
            raise OSError

        await stream(frames)({"type": "http"}, client.receive, broken)
        assert frames.closed.is_set()

    run(scenario())


def test_a_slow_reader_does_not_delay_the_generator() -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(frames=("a\n\n",) * 1000)
        client.reading.clear()
        responding = asyncio.create_task(respond(stream(frames), client))
        await frames.closed.wait()
        client.reading.set()
        await responding
        assert client.body == "a\n\n" * 1000

    run(scenario())


def test_a_reader_that_is_too_far_behind_counts_as_disconnected() -> None:
    async def scenario() -> None:
        client, frames = Client(), Frames(frames=("a" * 10,) * 100, wait=True)
        client.reading.clear()
        responding = asyncio.create_task(respond(stream(frames, max_buffered_bytes=500), client))
        await frames.closed.wait()
        assert not frames.waiting.is_set()
        client.reading.set()
        await responding
        assert not client.ended, "a stream that lost something does not end as if it were whole"

    run(scenario())


def test_a_reader_that_keeps_up_may_read_any_length() -> None:
    async def scenario() -> None:
        client = Client()

        async def long() -> AsyncGenerator[str, None]:
            for n in range(1, 101):
                yield "a" * 10
                while len(client.body) < 10 * n:
                    await asyncio.sleep(0)

        await respond(EventStream(long(), str, max_buffered_bytes=50), client)
        assert len(client.body) == 1000
        assert client.ended

    run(scenario())
