"""Keeps ended searches: they are written one after the other, in a thread."""

import asyncio
import logging
import sqlite3
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from epf.core.errors import InvalidRequest, NotFound, Overloaded
from epf.service.history.database import Database
from epf.service.history.recording import EndedSearch, document_of
from epf.service.history.schemas import SearchFilter, SearchList, SearchListQuery
from epf.service.operations.logs import where
from epf.service.operations.metrics import Storing
from epf.service.store_limits import StoreLimits

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_WAITING: Final = 64
"""Searches that wait to be written. A further one is dropped."""
TRIM_S: Final = 60.0
"""Time without a write after which searches that have become too old are deleted."""
EXPORTED_AT_ONCE: Final = 8
READING_S: Final = 5.0
"""Maximum time for which a reader waits until the searches before are written."""
CLOSING_S: Final = 10.0
"""Maximum time for which a server that stops goes on writing what waits."""


class SearchStore:
    """The kept searches of a server. Several servers may share a file.

    Reads find every search that was given to :meth:`keep` before.

    Args:
        path: the file.
        limits: its limits.
        private_prompt: the operator's own system prompt, which is not written.
        count: is called with what became of each search.

    Raises:
        InvalidRequest: the file cannot be used.
    """

    def __init__(
        self, path: Path, limits: StoreLimits, *, private_prompt: str | None, count: Callable[[Storing], None]
    ) -> None:
        self._open = partial(Database, path, limits)
        self._private_prompt = private_prompt
        self._count = count
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kept-searches")
        self._queue: asyncio.Queue[tuple[EndedSearch, asyncio.Event]] = asyncio.Queue(MAX_WAITING)
        self._last_written: asyncio.Event | None = None
        self._open().close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep searches within the block. At its end all that wait are written."""
        self._database = await self._do(self._open)
        await self._attempt(self._database.trim, None)
        writing = asyncio.create_task(self._write_all())
        try:
            yield
        finally:
            try:
                async with asyncio.timeout(CLOSING_S):
                    await self._queue.join()
            except TimeoutError:
                logger.error(
                    "searches were not kept: %d still waited for the disk when the server stopped", self._queue.qsize()
                )
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._do(self._database.close)
            self._thread.shutdown()

    def keep(self, search: EndedSearch) -> asyncio.Event:
        """Write a search; returns what is set then. It is dropped, which is logged and counted, if too many wait already."""
        written = asyncio.Event()
        try:
            self._queue.put_nowait((search, written))
        except asyncio.QueueFull:
            self._report("queue_full")
            written.set()
        else:
            self._last_written = written
        return written

    async def page(self, caller: str, query: SearchListQuery) -> SearchList:
        """Searches of ``caller``, newest first. Raises ``InvalidRequest`` if ``after`` is not the id of one."""
        await self._written()
        return await self._do(partial(self._page, caller, query))

    async def document(self, caller: str, id: str) -> bytes:
        """One search in JSON. Raises ``NotFound``."""
        await self._written()
        content = await self._do(partial(self._database.document, caller, id))
        if content is None:
            raise _not_found(id)
        return await asyncio.to_thread(zlib.decompress, content)

    async def delete(self, caller: str, id: str) -> None:
        """Delete a search for good. Raises ``NotFound``."""
        await self._written()
        if not await self._do(partial(self._database.delete, caller, id)):
            raise _not_found(id)

    async def export(self, caller: str, wanted: SearchFilter) -> AsyncIterator[bytes]:
        """Searches of ``caller``, one in JSON per line, oldest first."""
        await self._written()
        after = 0
        while found := await self._do(partial(self._database.documents, caller, wanted, after=after, limit=EXPORTED_AT_ONCE)):
            for after, content in found:  # noqa: B007
                yield await asyncio.to_thread(zlib.decompress, content) + b"\n"

    def _page(self, caller: str, query: SearchListQuery) -> SearchList:
        before: dict[str, int] = {}
        if query.after is not None:
            number = self._database.number(caller, query.after)
            if number is None:
                message = "`after` is not the id of a kept search of yours: leave it out, or take the last id of a page."
                raise InvalidRequest(message, param="after")
            before = {"before": number}
        found = self._database.select(caller, query, limit=query.limit + 1, **before)
        return SearchList(searches=found[: query.limit], has_more=len(found) > query.limit)

    async def _written(self) -> None:
        """Wait until everything that waits now is written. Raises ``Overloaded`` if that takes too long."""
        if self._last_written is not None:
            try:
                async with asyncio.timeout(READING_S):
                    await self._last_written.wait()
            except TimeoutError:
                message = "searches wait to be written, since the file of kept searches is busy: try again later"
                raise Overloaded(message, retry_after_s=READING_S) from None

    async def _write_all(self) -> None:
        while True:
            try:
                async with asyncio.timeout(TRIM_S):
                    search, written = await self._queue.get()
            except TimeoutError:
                await self._attempt(self._database.trim, None)
                continue
            self._report(await self._attempt(partial(self._write, search), "failed"))
            written.set()
            self._queue.task_done()

    def _write(self, search: EndedSearch) -> Storing:
        document = document_of(search, private_prompt=self._private_prompt)
        result = search.result
        columns = {
            "id": search.id,
            "caller": search.caller,
            "request_id": search.request_id,
            "started_s": search.started_at.timestamp(),
            "state": search.state,
            "method": search.started.method,
            "n_particles": search.started.n_particles,
            "seed": search.started.seed,
            "problem": search.request.problem,
            "answer": None if result is None else result.answer,
            "confidence": None if result is None else result.confidence,
            "generated_tokens": None if result is None else result.usage.generated_tokens,
            "seconds": None if result is None else result.usage.total_s,
        }
        return "stored" if self._database.insert(columns, document) else "too_large"

    async def _attempt(self, work: Callable[[], T], otherwise: T) -> T:
        """The result of ``work`` in the thread; ``otherwise`` if it fails, as on a full disk, which stops no server."""
        try:
            return await self._do(work)
        except Exception as error:
            # Messages of SQLite quote no values.
            reason = f": {error}" if isinstance(error, sqlite3.Error) else ""
            logger.error("keeping searches failed: %s in %s%s", type(error).__name__, where(error), reason)
            return otherwise

    def _report(self, outcome: Storing) -> None:
        self._count(outcome)
        if outcome != "stored":
            logger.warning("a search was not kept: %s", outcome)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _not_found(id: str) -> NotFound:
    return NotFound(f"No search with the id '{id[:64]}' is kept for you: it may have been deleted.", param="id")
