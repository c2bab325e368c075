"""Calls to equivalent servers (replicas): limited in number and time, and answered whichever of the servers fails.

Requests are idempotent (a score; a step, given its prefix and seed), and nothing of a failed attempt is kept. Whatever breaks
off, even in the middle of a stream, is therefore requested again from the start (:mod:`epf.engines.http.attempts`).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from epf.core.errors import SearchServiceError
from epf.engines.http.address import base_address
from epf.engines.http.attempts import Attempts, Call
from epf.engines.http.connections import MAX_RESPONSE_BYTES, PROBE_TIMEOUT_S, Connections
from epf.engines.http.errors import RetryableError, UpstreamRejected
from epf.engines.http.health import LOADING_POLL_S, LOADING_S, MAX_FAILED_CALLS, Health
from epf.engines.http.private import texts_of
from epf.engines.http.replica import Replica
from epf.engines.http.watch import Watch
from epf.engines.http.wording import Wording, address

logger = logging.getLogger(__name__)

T = TypeVar("T")
MAX_IN_FLIGHT = 512

UNKNOWN_PATH_STATUSES = frozenset({404, 405, 501})
OPTIONAL_TIMEOUT_S = 5.0


class Upstream:
    """Replicas of one server.

    Args:
        urls: base URLs, at least one; paths are appended to them.
        error: raised if all attempts fail.
        owner: the model in words, for messages: "the reward model".
        api_key: sent as a bearer token.
        reserve: part of the time until its caller's deadline that a call leaves, where no server is well.
        timeout_s: timeout of one attempt in seconds, from the first byte sent to the last byte received; in a stream, to the
            next event.
    """

    def __init__(
        self,
        urls: Sequence[str],
        error: type[SearchServiceError],
        owner: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        reserve: float = 0.0,
    ) -> None:
        if not urls:
            raise ValueError(f"The URL of {owner} must start with http:// or https://. Separate several URLs by commas.")
        option = owner.removeprefix("the ").replace(" ", "_")
        self._replicas = tuple(Replica(number, base_address(url, option)) for number, url in enumerate(urls))
        self._error = error
        self._owner = owner
        key = (api_key or "").strip()
        self._wording = Wording(owner, key)
        if not (key.isascii() and key.isprintable()):
            message = (
                f"The API key of {owner} has characters that a header cannot hold. Check {self._wording.setting('api_key')}."
            )
            raise ValueError(message)
        self._timeout_s = timeout_s
        self._connections = Connections(error, owner, key or None)
        self._health = Health(self._replicas, self._connections, self._wording, timeout_s)
        self._attempts = Attempts(self._health, error, self._wording, timeout_s, reserve)
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._open: set[asyncio.Timeout] = set()
        self._seen_loading: set[Replica] = set()
        self._drained = asyncio.Event()
        self._closed = False

    async def post(self, path: str, body: dict[str, Any], *, affinity: str = "") -> dict[str, Any]:
        """Return the response to ``body``. Calls with the same ``affinity`` go to the same replica while it is reachable.

        Raises:
            UpstreamRejected: the server refuses the request; :meth:`rejection` makes an error of it.
            SearchServiceError: of the class given; no attempt returned a JSON object.
        """
        return await self.read(path, body, _whole, affinity=affinity)

    async def read(self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], T], *, affinity: str = "") -> T:
        """Return what ``read`` makes of the response to ``body``; otherwise like :meth:`post`.

        An error of ``read`` that begins with the name of the server gets the address of the one that has responded.
        """
        return await self._exchange("POST", path, body, affinity, read)

    async def get(self, path: str) -> dict[str, Any]:
        """Like :meth:`post`, without a body."""
        return await self._exchange("GET", path, None, "", _whole)

    @property
    def url(self) -> str:
        """Base URL of the first replica."""
        return self._replicas[0].url

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the response to a GET, or to a POST of ``body``, of the first replica that can be reached.

        Each replica is asked once at most, for a few seconds. Of failures, only the silence of one of several replicas is
        logged: this is for questions before any work.

        Raises:
            UpstreamRejected: that replica refuses the request; :meth:`rejection` makes an error of it.
            SearchServiceError: of the class given; no replica can be reached, or its response is no JSON object.
        """
        self._check_open()
        for replica in sorted(self._replicas, key=lambda replica: replica.ejected):
            try:
                async with asyncio.timeout(OPTIONAL_TIMEOUT_S):
                    return await self._connections.json("POST" if body else "GET", replica.url + path, body)
            except TimeoutError:
                hint = "; if it does not speak TLS, use http://" if replica.url.startswith("https") else ""
                failure = RetryableError(f"no response within {OPTIONAL_TIMEOUT_S:g} seconds{hint}")
                if self._health.others(replica):
                    self._health.eject(replica, str(failure))
            except RetryableError as error:
                failure = error
        raise self._error(self._wording.failed(replica.url, 1, str(failure)), retryable=not failure.lasting) from failure

    async def loaded(self) -> None:
        """Wait while all replicas report by their health that they are loading their model, at most ``LOADING_S`` seconds."""
        self._check_open()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOADING_S):
                while all(await asyncio.gather(*map(self._is_loading, self._replicas))):
                    await asyncio.sleep(LOADING_POLL_S)

    async def get_optional(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Like :meth:`ask`, but None if a server responds with anything else than a JSON object.

        Raises a ``SearchServiceError`` of the class given if no replica can be reached.
        """
        try:
            return await self.ask(path, body)
        except UpstreamRejected:
            return None
        except SearchServiceError as error:
            if isinstance(error.__cause__, RetryableError) and error.__cause__.unreachable:
                raise
            return None

    async def stream(
        self,
        path: str,
        body: dict[str, Any],
        read: Callable[[AsyncIterator[dict[str, Any]]], Awaitable[T]],
        *,
        affinity: str,
        deadline_s: float,
        max_bytes: int = MAX_RESPONSE_BYTES,
        lasting: Collection[int] = (),
        private: Callable[[], str] = str,
    ) -> T:
        """Return what ``read`` makes of the events of the response to ``body``.

        An attempt that breaks off is discarded, and ``read`` is called anew with the events of the next one. If ``read``
        returns before the events end, or this call is cancelled, the connection is closed, which makes the server stop.

        ``deadline_s`` limits all attempts together, ``max_bytes`` the response of one attempt. A status in ``lasting`` raises
        ``UpstreamRejected`` at once. Errors and logs repeat no passage of the body, nor of the text that ``private`` returns.
        """

        async def attempt(url: str, timeout: asyncio.Timeout, watch: Watch) -> T:
            async with (
                self._connections.events(url + path, body, max_bytes, lasting) as events,
                aclosing(self._timely(events, timeout, watch)) as timely,
            ):
                with self._located(url):
                    return await read(timely)

        async def probe(url: str, wait_s: float) -> None:
            async with asyncio.timeout(wait_s) as timeout, self._connections.events(url + path, body, max_bytes) as events:
                async for _ in events:
                    timeout.reschedule(asyncio.get_running_loop().time() + wait_s)

        return await self._call(Call(attempt, probe, affinity, lambda: [*texts_of(body), private()]), deadline_s)

    def rejection(self, rejected: UpstreamRejected, private: Iterable[str] = (), *, logged: bool = True) -> SearchServiceError:
        """Return the error for a refused request, and log what the server said, both without passages of ``private`` texts.

        An error with which a command ends need not be ``logged`` as well.
        """
        if logged:
            said = f"status {rejected.refusal.status}: {rejected.refusal.words}"
            logger.warning(self._wording.log(rejected.url, said, private))
        return self._error(self._wording.rejected(rejected, private), retryable=False)

    async def ready(self, *paths: str, unknown: bool = False) -> None:
        """Raise an error unless a replica is ready: it returns status 200 for the first of ``paths`` that it knows.

        ``unknown`` is whether a replica that knows none of them is ready. All replicas are asked concurrently, once each.
        """
        self._check_open()
        checks = [asyncio.create_task(self._unready(replica, paths, unknown)) for replica in self._replicas]
        try:
            for check in asyncio.as_completed(checks):
                if not await check:
                    return
        finally:
            for task in checks:
                task.cancel()
            await asyncio.gather(*checks, return_exceptions=True)
        reasons = [check.result() for check in checks]
        where = (f"{address(r.url)} {reason}" for r, reason in zip(self._replicas, reasons, strict=True))
        error = self._error(f"No server of {self._owner} is ready: {'; '.join(where)}.")
        error.unready = " and ".join(dict.fromkeys(reasons))
        raise error

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        self._closed = True
        self._drained.clear()
        for call in self._open:
            if not call.expired():
                call.reschedule(0)
        if self._open:
            await self._drained.wait()
        await self._health.aclose()
        await self._connections.aclose()

    async def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None, affinity: str, read: Callable[[dict[str, Any]], T]
    ) -> T:
        async def attempt(url: str, _timeout: asyncio.Timeout, _watch: Watch) -> T:
            response = await self._connections.json(method, url + path, body)
            with self._located(url):
                return read(response)

        async def probe(url: str, wait_s: float) -> None:
            async with asyncio.timeout(wait_s):
                await self._connections.json(method, url + path, body)

        return await self._call(Call(attempt, probe, affinity, partial(texts_of, body)))

    async def _call(self, call: Call[T], deadline_s: float | None = None) -> T:
        self._check_open()
        try:
            async with asyncio.timeout(deadline_s) as limit:
                self._open.add(limit)
                try:
                    async with self._slots:
                        return await self._attempts.make(call)
                finally:
                    self._open.discard(limit)
                    if not self._open:
                        self._drained.set()
        except TimeoutError:
            self._check_open()
            raise self._error(f"The server of {self._owner} did not finish within {deadline_s:g} seconds.") from None

    @contextmanager
    def _located(self, url: str) -> Iterator[None]:
        """Put the address of a server into errors that begin with its name."""
        try:
            yield
        except SearchServiceError as error:
            error.message = self._wording.located(url, error.message)
            error.args = (error.message,)
            raise

    async def _is_loading(self, replica: Replica) -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._connections.json("GET", f"{replica.url}/health")
        except RetryableError as failure:
            if failure.loading and replica not in self._seen_loading:
                self._seen_loading.add(replica)
                where = self._wording.log(replica.url, str(failure))
                logger.warning("replica %d: %s: waiting up to %g seconds for its model", replica.number, where, LOADING_S)
            return failure.loading
        except (TimeoutError, UpstreamRejected, SearchServiceError):
            pass  # the questions that follow find out what it does
        return False

    async def _unready(self, replica: Replica, paths: Sequence[str], unknown: bool) -> str:
        """Why a replica is not ready, in words that complete "its server ..."; empty if it is."""
        if replica.fails_calls:
            return "fails requests" if replica.n_failed >= MAX_FAILED_CALLS else "does not respond to requests"
        for path in paths:
            status = await self._connections.status(replica.url + path)
            if status is None:
                return "does not respond to health checks"
            if status not in UNKNOWN_PATH_STATUSES:
                return "" if status == 200 else f"reports status {status}"
        return "" if unknown else f"has no {' and no '.join(paths)}"

    async def _timely(self, events: AsyncIterator[T], timeout: asyncio.Timeout, watch: Watch) -> AsyncGenerator[T, None]:
        """``events``, each of which restarts the timeout of its attempt and shows that the server responds."""
        async for event in events:
            timeout.reschedule(asyncio.get_running_loop().time() + self._timeout_s)
            watch.heard()
            yield event

    def _check_open(self) -> None:
        if self._closed:
            raise self._error(f"The connection to the server of {self._owner} is closed.")


def _whole(response: dict[str, Any]) -> dict[str, Any]:
    return response
