"""Connections that send their requests slowly or not at all, and servers with more connections than they may have."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.processes import running
from tests.service.metrics_client import Reading
from tests.service.serving import GUARD_S, Connection, posted, served

SHORT = 0.05
PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
BUILDS = {
    "serve": lambda settings: create_app(ScriptedGenerator(), ScriptedRewardModel(), settings),
    "serve-prm": lambda settings: create_scoring_app(ScriptedRewardModel(), settings),
}
HALF_HEADS = [b"G", b"GET /healthz HTTP/1.1\r\n", b"POST /solve HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n"]


@asynccontextmanager
async def connected(address: tuple[str, int], data: bytes = b"") -> AsyncIterator[Connection]:
    """A connection on which ``data`` has been sent."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(data)
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def rest(client: Connection) -> bytes:
    """What the server sends until it closes the connection."""
    with suppress(ConnectionResetError):
        return await client.reader.read()
    return b""


def error_of(response: bytes) -> dict[str, Any]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    error: dict[str, Any] = json.loads(body)["error"]
    return error


def value_of(metrics: httpx.Response, name: str, **labels: str) -> float:
    """The value of a sample, 0 if it does not exist."""
    return Reading(metrics.text).values(name).get(tuple(labels.values()), 0.0)


def url_of(address: tuple[str, int]) -> str:
    return f"http://{address[0]}:{address[1]}"


def service(**settings: Any) -> FastAPI:
    return BUILDS["serve"](Settings(**settings))


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("half", HALF_HEADS)
def test_a_head_that_does_not_arrive_ends_its_connection(build: str, half: bytes) -> None:
    async def scenario() -> None:
        settings = Settings(head_timeout_s=SHORT)
        async with served(BUILDS[build](settings)) as address, connected(address, half) as client:
            response = await rest(client)
            assert response.startswith(b"HTTP/1.1 408 ")
            error = error_of(response)
            assert error["code"] == "request_timeout"
            assert f"{SHORT:g} s" in error["message"]

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_a_head_that_trickles_in_has_the_time_of_one_head() -> None:
    """Each byte is sent long before the time is over, which therefore must not begin anew with it."""

    async def scenario() -> None:
        async with served(service(head_timeout_s=0.2)) as address, connected(address, b"GET / HTTP/1.1\r\nx: ") as client:
            closed = asyncio.create_task(rest(client))
            while not closed.done():
                client.writer.write(b"a")
                await asyncio.wait([closed], timeout=0.01)
            assert (await closed).startswith(b"HTTP/1.1 408 ")

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_the_second_head_of_a_connection_has_a_time_limit_too() -> None:
    async def scenario() -> None:
        whole = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
        for data in (whole + b"GET", whole + whole + b"GET /healthz HTTP/1.1\r\n"):
            async with served(service(head_timeout_s=SHORT)) as address, connected(address, data) as client:
                response = await rest(client)
                assert response.startswith(b"HTTP/1.1 200 ")
                assert b"HTTP/1.1 408 " in response

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


@pytest.mark.parametrize("data", [b"", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"])
def test_an_idle_connection_is_closed_silently(data: bytes) -> None:
    async def scenario() -> None:
        async with served(service(idle_timeout_s=SHORT)) as address, connected(address, data) as client:
            response = await rest(client)
            assert response.count(b"HTTP/1.1 ") == bool(data)
            assert b"408" not in response

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_the_body_of_a_refused_request_has_a_time_limit() -> None:
    """The refusal comes before the body, which nobody then reads."""

    async def scenario() -> None:
        app = service(body_timeout_s=SHORT, api_keys={"alice": "k" * 20})
        async with served(app) as address, posted(address, "/solve", {}, **{"content-length": "100000"}) as client:
            assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
            closed = asyncio.create_task(rest(client))
            while not closed.done():
                client.writer.write(b" ")
                await asyncio.wait([closed], timeout=0.01)

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_a_response_that_nobody_reads_ends_its_connection() -> None:
    async def scenario() -> None:
        app = service(send_timeout_s=SHORT, idle_timeout_s=SHORT)

        @app.get("/large")
        async def large() -> str:
            return "a" * 2**24

        async with served(app) as address, AsyncExitStack() as clients:
            ask = b"GET /large HTTP/1.1\r\nhost: localhost\r\n%b\r\n"
            for more in (b"", b"connection: close\r\n"):
                client = await clients.enter_async_context(connected(address, ask % more))
                await client.reader.readexactly(1)
                client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            async with httpx.AsyncClient(base_url=url_of(address)) as prober:
                while value_of(await prober.get("/metrics"), "epf_connections_closed_total", reason="send") < 2:
                    pass

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 40_000, 431, "request_head_too_large"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 40_000 + b"\r\n\r\n", 431, "request_head_too_large"),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 431, "request_head_too_large"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a:b\r\n" * 300 + b"\r\n", 431, "request_head_too_large"),
        (b"GET / HTTP/1.1\nhost: a\n" + b"a:b\n" * 300, 431, "request_head_too_large"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "unsupported_http_version"),
        (b"GET / HTTP/3.0\r\nhost: a\r\n\r\n", 505, "unsupported_http_version"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "invalid_value"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "invalid_value"),
        (b"POST /solve HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nnothing\r\n", 400, "invalid_value"),
    ],
)
def test_what_is_no_request_within_the_limits_is_refused_in_json(data: bytes, status: int, code: str) -> None:
    async def scenario() -> None:
        async with served(service()) as address, connected(address, data) as client:
            response = await rest(client)
            assert response.startswith(b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode()))
            error = error_of(response)
            assert error["code"] == code
            assert error["message"].endswith(".")

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


@pytest.mark.parametrize("head", [b"x: " + b"a" * 30_000, b"\r\n".join(b"x%d: a" % i for i in range(250))])
def test_a_head_within_the_limits_is_read(head: bytes) -> None:
    async def scenario() -> None:
        data = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n" + head + b"\r\n\r\n"
        async with served(service()) as address, connected(address, data) as client:
            assert (await rest(client)).startswith(b"HTTP/1.1 200 ")

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


@pytest.mark.parametrize(
    "headers",
    [
        {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13", "sec_websocket_key": "a" * 24},
        {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2_settings": "AAMAAABkAAQAAP__"},
    ],
)
def test_an_offer_of_another_protocol_is_ignored(headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Java's client offers HTTP/2 with every request; uvicorn would log two warnings for each."""

    async def scenario() -> None:
        body = {"problem": "1 + 1?", "n_particles": 1}
        async with served(service()) as address, posted(address, "/solve", body, **headers) as client:
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("attack", [*HALF_HEADS, b"", b"POST /solve HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{"])
def test_a_stranger_is_served_by_a_server_full_of_connections_that_wait(build: str, attack: bytes) -> None:
    """The stranger is behind the same address as the others."""

    async def scenario() -> None:
        app = BUILDS[build](Settings(max_connections=8))
        async with served(app) as address, AsyncExitStack() as clients:
            for _ in range(30):
                await clients.enter_async_context(connected(address, attack))
            async with httpx.AsyncClient(base_url=url_of(address), timeout=GUARD_S) as stranger:
                assert (await stranger.get("/healthz")).status_code == 200
                body = {"problem": "1 + 1?", "n_particles": 1} if build == "serve" else {"problem": "1 + 1?", "steps": ["2."]}
                assert (await stranger.post("/solve" if build == "serve" else "/score", json=body)).status_code == 200
                metrics = await stranger.get("/metrics")
            states = [value_of(metrics, "epf_connections", state=state) for state in ("idle", "waiting", "body", "busy")]
            assert sum(states) <= 8
            assert value_of(metrics, "epf_connections_closed_total", reason="gave_way") >= 20

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def holds(app: FastAPI) -> asyncio.Event:
    """Add the route /hold, which responds once the event is set."""
    released = asyncio.Event()

    @app.get("/hold")
    async def hold() -> None:
        await released.wait()

    return released


def test_a_server_whose_connections_all_work_serves_probes_only() -> None:
    async def scenario() -> None:
        app = service(max_connections=8)
        released = holds(app)

        async with served(app) as address, httpx.AsyncClient(base_url=url_of(address), timeout=GUARD_S) as client:
            holding = [asyncio.create_task(client.get("/hold")) for _ in range(6)]
            while value_of(await client.get("/metrics"), "epf_connections", state="busy") < 7:
                pass
            async with httpx.AsyncClient(base_url=client.base_url, timeout=GUARD_S) as stranger:
                for path in ("/healthz", "/readyz", "/metrics"):
                    assert (await stranger.get(path)).status_code == 200
                refused = await stranger.post("/solve", json={"problem": "1 + 1?"})
                assert refused.status_code == 503
                assert "EPF_MAX_CONNECTIONS" in refused.json()["error"]["message"]
                assert refused.headers["retry-after"] == "1"
                released.set()
                assert [response.status_code for response in await asyncio.gather(*holding)] == [200] * 6
                assert (await stranger.post("/solve", json={"problem": "1 + 1?", "n_particles": 1})).status_code == 200

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_one_address_may_have_a_limit_of_its_own() -> None:
    async def scenario() -> None:
        app = service(max_connections_per_address=4)
        released = holds(app)

        async with served(app) as address, httpx.AsyncClient(base_url=url_of(address), timeout=GUARD_S) as client:
            holding = [asyncio.create_task(client.get("/hold")) for _ in range(3)]
            while value_of(await client.get("/metrics"), "epf_connections", state="busy") < 4:
                pass
            refused = await client.get("/v1/models")
            assert refused.status_code == 429
            assert "EPF_MAX_CONNECTIONS_PER_ADDRESS" in refused.json()["error"]["message"]
            transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
            async with httpx.AsyncClient(base_url=client.base_url, transport=transport) as stranger:
                assert (await stranger.get("/v1/models")).status_code == 200
            released.set()
            await asyncio.gather(*holding)

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


@pytest.mark.parametrize("attack", [*HALF_HEADS, b"", b"POST /solve HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{"])
def test_a_client_whose_request_makes_room_for_another_learns_that(attack: bytes) -> None:
    async def scenario() -> None:
        async with served(service(max_connections=4)) as address, AsyncExitStack() as clients:
            first = await clients.enter_async_context(connected(address, attack))
            for _ in range(4):
                await clients.enter_async_context(connected(address, attack))
            response = await rest(first)
            assert response.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1\r\n" in response
            assert "make room" in error_of(response)["message"]

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_a_connection_that_was_served_makes_room_silently() -> None:
    async def scenario() -> None:
        async with served(service(max_connections=4)) as address, AsyncExitStack() as clients:
            whole = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
            first = await clients.enter_async_context(connected(address, whole))
            await first.reader.readuntil(b"}")
            for _ in range(4):
                await clients.enter_async_context(connected(address))
            assert await rest(first) == b""

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_a_half_head_makes_room_before_a_newer_connection() -> None:
    """Otherwise those who connect together would close one another's connections, and the half heads would stay."""

    async def scenario() -> None:
        async with served(service(max_connections=4)) as address, AsyncExitStack() as clients:
            halves = [await clients.enter_async_context(connected(address, b"GET /")) for _ in range(4)]
            async with httpx.AsyncClient(base_url=url_of(address), timeout=GUARD_S) as prober:
                while value_of(await prober.get("/metrics"), "epf_connections", state="waiting") < 3:
                    pass
            newer = [await clients.enter_async_context(connected(address)) for _ in range(3)]
            for half in halves[:3]:
                assert (await rest(half)).startswith(b"HTTP/1.1 503 ")
            for client in newer:
                client.writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                assert (await client.reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


@pytest.mark.slow
@pytest.mark.parametrize("n_files", [64, 128])
@pytest.mark.parametrize("command", ["serve", "serve-prm"])
def test_few_file_descriptors_are_enough_for_strangers_and_probes(command: str, n_files: int, tmp_path: Path) -> None:
    """Several times as many half heads arrive at once as the process may open files, then as many requests as it may open."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    limited = f'ulimit -n {n_files}; exec "$@"'
    run = "import sys; from epf.cli.main import main; sys.exit(main())"
    epf = [sys.executable, "-c", run, command, "--port", str(address[1])]
    log = tmp_path / "log"

    async def attack() -> None:
        async with httpx.AsyncClient(base_url=url_of(address), timeout=GUARD_S) as early, AsyncExitStack() as clients:
            while True:
                with suppress(httpx.TransportError):
                    if (await early.get("/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
            half = b"GET / HTTP/1.1\r\n"
            await asyncio.gather(*(clients.enter_async_context(connected(address, half)) for _ in range(384)))
            for path in ("/healthz", "/readyz", "/metrics"):
                async with httpx.AsyncClient(base_url=early.base_url, timeout=GUARD_S) as stranger:
                    response = await stranger.get(path)
                    assert response.status_code == 200
            assert value_of(response, "process_max_fds") == n_files
            assert value_of(response, "process_open_fds") < n_files
            assert 0 < value_of(response, "epf_connections", state="waiting") <= n_files / 2
            body = {"problem": PROBLEM, "steps": ["45 - 17 = 28."]}
            async with httpx.AsyncClient(base_url=early.base_url, timeout=GUARD_S) as stranger:
                assert (await stranger.post("/score", json=body)).status_code == 200
                burst = await asyncio.gather(*(stranger.post("/score", json=body) for _ in range(n_files)))
            statuses = [response.status_code for response in burst]
            assert statuses.count(200) + statuses.count(503) == n_files, "all get a response"
            assert statuses.count(200) >= n_files / 4

    environment = {**os.environ, "EPF_DRAIN_NOTICE_S": "0"}
    with log.open("w") as lines, running(["bash", "-c", limited, "bash", *epf], env=environment, stderr=lines):
        asyncio.run(asyncio.wait_for(attack(), GUARD_S))
    text = log.read_text()
    assert f"half of the {n_files} files" in text
    assert "out of system resource" not in text, "asyncio then accepts no connections for a second"
