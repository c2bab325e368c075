"""Equivalent servers on real sockets: which attempts are repeated and where, and what calls leave behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest

from epf.core.errors import GeneratorError
from epf.engines.http.attempts import MAX_RETRIES_SAVED
from epf.engines.http.replicas import Upstream
from tests.engines.http.server import Answer, Request, Upstreams, upstream
from tests.service.serving import until

T = TypeVar("T")


def events(*items: Any, done: bool = True) -> bytes:
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in items) + b"data: [DONE]\n\n" * done


GOOD = Answer(events({"n": 1}, {"n": 2}))
PART = events({"n": 1}, done=False)


async def collected(events: AsyncIterator[dict[str, Any]]) -> list[Any]:
    return [event["n"] async for event in events]


def ask(replicas: Upstream, affinity: str = "", deadline_s: float = 20.0, max_bytes: int = 10_000) -> Awaitable[list[Any]]:
    return replicas.stream("/stream", {}, collected, affinity=affinity, deadline_s=deadline_s, max_bytes=max_bytes)


def run(
    answers: list[Callable[[Request], Answer]], test: Callable[[Upstream, list[Upstreams]], Awaitable[T]], **options: Any
) -> T:
    """Run ``test`` on an upstream with one server for each of ``answers``."""

    async def main() -> T:
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(upstream(answer)) for answer in answers]
            replicas = Upstream([server.url for server in servers], GeneratorError, "the generator", **options)
            try:
                return await test(replicas, servers)
            finally:
                await replicas.aclose()

    return asyncio.run(asyncio.wait_for(main(), 30))


def of(home: int, n: int = 1) -> list[str]:
    """``n`` affinities for which the replica with number ``home`` of two is preferred."""
    replicas = Upstream(["http://a", "http://b"], GeneratorError, "the generator")
    names = (f"search {i}" for i in range(1000))
    return [name for name in names if replicas._attempts._rendezvous_order(name)[0].number == home][:n]


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)
    monkeypatch.setattr("epf.engines.http.health.QUIET_S", 60.0)  # a busy machine is no silent server


PASSING = {
    "reset": Answer(reset=True),
    "reset within the stream": Answer(PART, reset=True),
    "cut": Answer(PART, cut=True),
    "no end": Answer(PART),
    "half an event": Answer(PART + b'data: {"n": 2'),
    "an event that is no JSON": Answer(PART + b'data: {"n": \n\ndata: [DONE]\n\n'),
    "an event that is a list": Answer(events([1])),
    "the server's failure": Answer(PART + events({"error": {"message": "no", "code": 500}})),
    "no stream": Answer(b"<html></html>"),
    "unavailable": Answer(b"", 503),
    "too many requests": Answer(b"", 429, {"retry-after": "0"}),
}


@pytest.mark.parametrize("fault", sorted(PASSING))
def test_an_attempt_that_breaks_off_is_repeated_from_the_start(fault: str) -> None:
    faults = iter([PASSING[fault]] * 2)

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        assert await ask(replicas) == [1, 2]
        assert len(servers[0].requests) == 3

    run([lambda _: next(faults, GOOD)], test)


@pytest.mark.parametrize(
    "silent",
    [Answer(stall=True), Answer(PART, drip=b""), Answer(PART, drip=b": still here\n\n")],
    ids=["all", "later", "comments"],
)
def test_a_silent_server_is_abandoned_for_another(silent: Answer) -> None:
    """A server is silent if it sends no events; comments only keep a connection open."""

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        assert await ask(replicas, of(0)[0]) == [1, 2]
        await servers[0].left.wait()
        assert [len(server.requests) for server in servers] == [1, 1]

    run([lambda _: silent, lambda _: GOOD], test, timeout_s=0.8)


def test_events_keep_a_slow_stream_alive_until_the_deadline() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        with pytest.raises(GeneratorError, match="within 1 seconds"):
            await ask(replicas, deadline_s=1, max_bytes=10**9)
        await servers[0].left.wait()
        assert len(servers[0].requests) == 1

    run([lambda _: Answer(PART, drip=PART)], test, timeout_s=0.5)


def test_an_endless_response_is_cut_off() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        with pytest.raises(GeneratorError, match="more than 10000 bytes"):
            await ask(replicas)
        await servers[0].left.wait()
        assert len(servers[0].requests) == 1

    run([lambda _: Answer(PART, drip=PART * 100)], test)


def test_the_connection_of_a_finished_stream_is_reused() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        for _ in range(3):
            assert await ask(replicas) == [1, 2]
        assert len(servers[0].requests) == 3
        assert servers[0].n_connections == 1

    run([lambda _: GOOD], test)


def test_an_idle_connection_is_closed_before_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.transport.IDLE_S", -1.0)

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        assert await ask(replicas) == [1, 2]
        assert not servers[0].left.is_set()
        assert await ask(replicas) == [1, 2]
        await servers[0].left.wait()

    run([lambda _: GOOD], test)


def test_calls_with_one_affinity_share_a_replica_and_leave_it_when_it_is_unreachable() -> None:
    """Moving on costs no retry budget, and only the first calls try the unreachable replica."""
    n = int(MAX_RETRIES_SAVED) + 30

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (home,) = of(0)
        for _ in range(3):
            await ask(replicas, home)
        assert [len(server.requests) for server in servers] == [3, 0]
        servers[0].answer = lambda _: Answer(PART, cut=True)
        assert await asyncio.gather(*(ask(replicas, home) for _ in range(n))) == [[1, 2]] * n
        before = len(servers[0].requests)
        assert await ask(replicas, home) == [1, 2]
        assert len(servers[0].requests) == before
        assert len(servers[1].requests) == n + 1

    run([lambda _: GOOD, lambda _: GOOD], test)


def test_an_ejected_replica_is_used_again_when_its_health_check_succeeds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("epf.engines.http.health.EJECTION_S", 0.01)
    unhealthy = Answer(b"", 503)

    def answer(request: Request) -> Answer:
        return unhealthy if request.path == "/health" else Answer(reset=True)

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (home,) = of(0)
        assert await ask(replicas, home) == [1, 2]
        await until(lambda: [request.path for request in servers[0].requests].count("/health") >= 2)
        await asyncio.gather(*(ask(replicas, home) for _ in range(5)))
        assert [request.path for request in servers[0].requests].count("/stream") == 1
        assert [(r.ejected, r.n_ejections) for r in replicas._replicas] == [(True, 1), (False, 0)]
        servers[0].answer = lambda _: GOOD
        await until(lambda: not replicas._replicas[0].ejected)
        before = len(servers[1].requests)
        assert await ask(replicas, home) == [1, 2]
        assert servers[0].requests[-1].path == "/stream"
        assert len(servers[1].requests) == before

    run([answer, lambda _: GOOD], test)
    assert "replica 0 of the generator is reachable again" in caplog.messages


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed after a moment."""
    monkeypatch.setattr("epf.engines.http.health.QUIET_S", 0.1)
    monkeypatch.setattr("epf.engines.http.connections.PROBE_TIMEOUT_S", 1.0)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("silent", [Answer(stall=True), Answer(PART, drip=b"")], ids=["all", "later"])
def test_calls_leave_a_server_that_hangs_long_before_their_timeout(silent: Answer, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Answer:
        return Answer(stall=True) if request.path == "/health" else silent

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (home,) = of(0)
        async with asyncio.timeout(10):
            assert await asyncio.gather(*(ask(replicas, home) for _ in range(20))) == [[1, 2]] * 20
            assert await ask(replicas, home) == [1, 2]
        asked = [request.path for request in servers[0].requests]
        assert asked.count("/stream") == 20
        assert asked.count("/health") == 1

    run([answer, lambda _: GOOD], test, timeout_s=60)
    (message,) = caplog.messages
    assert "nor to a health check" in message


@pytest.mark.usefixtures("_impatient")
def test_a_call_waits_for_a_server_that_is_only_busy() -> None:
    def answer(request: Request) -> Answer:
        return Answer(b"", 503) if request.path == "/health" else Answer(PART, drip=b"")

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        call = asyncio.ensure_future(ask(replicas, of(0)[0]))
        await until(lambda: [request.path for request in servers[0].requests].count("/health") >= 3)
        assert not call.done()
        assert servers[1].requests == []
        call.cancel()
        await asyncio.wait([call])

    run([answer, lambda _: GOOD], test, timeout_s=60)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.slow
def test_a_cancelled_call_leaves_evidence_against_a_silent_server() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        (home,) = of(0)
        call = asyncio.ensure_future(ask(replicas, home))
        await until(lambda: any(request.path == "/health" for request in servers[0].requests))
        call.cancel()
        await asyncio.wait([call])
        await until(lambda: replicas._replicas[0].ejected)
        before = len(servers[0].requests)
        assert await ask(replicas, home) == [1, 2]
        assert len(servers[0].requests) == before

    run([lambda _: Answer(stall=True), lambda _: GOOD], test, timeout_s=60)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.slow
def test_the_only_server_is_waited_for_although_it_is_silent() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        call = asyncio.ensure_future(ask(replicas))
        await until(lambda: [request.path for request in servers[0].requests].count("/health") >= 2)
        assert [request.path for request in servers[0].requests].count("/stream") == 1
        assert not call.done()
        call.cancel()
        await asyncio.wait([call])

    run([lambda _: Answer(stall=True)], test, timeout_s=60)


def test_an_error_is_raised_when_no_replica_is_reachable(caplog: pytest.LogCaptureFixture) -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        for _ in range(3):
            with pytest.raises(GeneratorError, match="after 4 attempts: connection failed"):
                await ask(replicas)
        for server in servers:
            server.answer = lambda _: GOOD
        assert await ask(replicas) == [1, 2]

    run([lambda _: Answer(reset=True)] * 2, test)
    assert ["connection failed" in message for message in caplog.messages] == [True, True, False]
    assert "reachable again" in caplog.messages[2]


@pytest.mark.parametrize(
    ("health", "models", "ready"),
    [(200, 500, True), (503, 200, False), (404, 200, True), (405, 503, False), (404, 401, False), (404, 404, False)],
)
def test_readiness_is_read_at_the_first_path_that_the_server_knows(health: int, models: int, ready: bool) -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        if ready:
            await replicas.ready("/health", "/v1/models")
        else:
            with pytest.raises(GeneratorError, match="No server of the generator is ready"):
                await replicas.ready("/health", "/v1/models")

    run([lambda request: Answer({}, health if request.path == "/health" else models)], test)


def test_cancelled_calls_and_a_closed_upstream_disconnect() -> None:
    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        calls = [asyncio.ensure_future(ask(replicas)) for _ in range(3)]
        await until(lambda: len(servers[0].requests) == 3)
        calls[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await calls[0]
        await servers[0].left.wait()
        servers[0].left.clear()
        await replicas.aclose()
        for call in calls[1:]:
            with pytest.raises(GeneratorError, match="closed"):
                await call
        await servers[0].left.wait()
        with pytest.raises(GeneratorError, match="closed"):
            await ask(replicas)
        with pytest.raises(GeneratorError, match="closed"):
            await replicas.ready("/health")

    run([lambda _: Answer(PART, drip=b"")], test)


def test_calls_beyond_the_limit_in_flight_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.replicas.MAX_IN_FLIGHT", 2)

    async def test(replicas: Upstream, servers: list[Upstreams]) -> None:
        calls = [asyncio.ensure_future(ask(replicas)) for _ in range(3)]
        await until(lambda: len(servers[0].requests) == 2)
        assert len(servers[0].requests) == 2
        calls[0].cancel()
        await until(lambda: len(servers[0].requests) == 3)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    run([lambda _: Answer(PART, drip=b"")], test)
