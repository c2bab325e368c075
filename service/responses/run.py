"""One response from its creation to its end: in one piece, as a stream, or in the background."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing

from epf.service.responses.create import Creation
from epf.service.responses.events import ResponseEvent, frame
from epf.service.responses.response import ResponseOut
from epf.service.responses.store import ResponseStore, StoredResponse
from epf.service.responses.writer import ResponseWriter
from epf.service.searches.lease import Lease


class ResponseRun:
    """The search behind one response, which is stored from its first event on unless the caller objects.

    A response whose client disconnects is not kept, and neither is one in one piece that fails: its caller has no id.
    """

    def __init__(
        self, creation: Creation, leasing: AbstractAsyncContextManager[Lease], store: ResponseStore, caller: str
    ) -> None:
        self._creation = creation
        self._leasing = leasing
        self._writer = ResponseWriter(creation)
        self._store = store
        self._caller = caller
        self._record: StoredResponse | None = None

    async def complete(self) -> ResponseOut:
        """Search and return the response. Raises what :func:`epf.asolve` raises."""
        try:
            async with aclosing(self._events()) as events:
                async for _ in events:
                    pass
        except Exception:
            self._forget()
            raise
        return self._writer.response

    async def frames(self) -> AsyncGenerator[str, None]:
        """Server-sent events. The lease is taken before the first one, so that a refusal is an ordinary error."""
        async with aclosing(self._events()) as events:
            async for event in events:
                yield frame(event)

    def error_frame(self, error: Exception) -> str:
        """The last event of a stream that fails after its first event."""
        event = self._writer.failed(error)
        self._note(event)
        return frame(event)

    async def in_background(self, begun: "asyncio.Future[tuple[StoredResponse, str]]") -> None:
        """Search without a connection.

        ``begun`` gets the stored response with its body as it is at first, or the error of a refusal.
        """
        try:
            async with aclosing(self._events()) as events:
                async for _ in events:
                    if not begun.done():
                        assert self._record is not None
                        begun.set_result((self._record, self._record.body))
        except Exception as error:
            if begun.done():
                self.error_frame(error)
            else:
                begun.set_exception(error)

    async def _events(self) -> AsyncGenerator[ResponseEvent, None]:
        try:
            async with aclosing(self._written()) as events:
                async for event in events:
                    self._note(event)
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            self._forget()
            raise

    async def _written(self) -> AsyncGenerator[ResponseEvent, None]:
        writer, body = self._writer, self._creation.body
        async with self._leasing as lease:
            if body.store:
                self._record = self._store.add(self._creation, self._caller)
            yield writer.created()
            if body.background:
                yield writer.queued()
            await lease.acquire()
            yield writer.in_progress()
            async with aclosing(self._creation.choices.events(lease)) as events:
                async for _, event in events:
                    for written in writer.of(event):
                        yield written

    def _note(self, event: ResponseEvent) -> None:
        if self._record is not None:
            self._record.add(event)
            if self._record.ended.is_set():
                self._store.trim()

    def _forget(self) -> None:
        if self._record is not None:
            self._store.remove(self._record)


class BackgroundRuns:
    """The searches without a connection. They end with the server at the latest."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, run: ResponseRun) -> tuple[StoredResponse, str]:
        """Begin a search and return its stored response, with its body as it is at first.

        Raises:
            RateLimited, Overloaded: there is no capacity, not even in the queue.
        """
        begun: asyncio.Future[tuple[StoredResponse, str]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run.in_background(begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await begun

    async def aclose(self) -> None:
        """Cancel all of them and wait for their end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
