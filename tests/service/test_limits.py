"""Bodies that are too large, too slow, nested too deeply or have a wrong length."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.asgi import called, scope_of
from tests.service.serving import client_of, posted, served, until

GUARD_S = 60
LIMIT = 1000
JSON = {"content-type": "application/json"}


def service(**settings: Any) -> Any:
    limits = Settings(max_body_bytes=LIMIT, max_entropy_body_bytes=LIMIT, **settings)
    return create_app(ScriptedGenerator(), ScriptedRewardModel(), limits)


def scoring() -> Any:
    return create_scoring_app(ScriptedRewardModel(), Settings(max_body_bytes=LIMIT))


POSTS = [
    (build, path)
    for build in (service, scoring)
    for path, methods in build().openapi()["paths"].items()
    for method in methods
    if method == "post" and "requestBody" in methods[method]
]


async def in_chunks(n_bytes: int) -> AsyncIterator[bytes]:
    for start in range(0, n_bytes, 300):
        yield b" " * min(300, n_bytes - start)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(("build", "path"), POSTS)
@pytest.mark.slow
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(build: Any, path: str, announced: bool) -> None:
    async def scenario() -> None:
        async with (
            served(build()) as (host, port),
            httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=GUARD_S) as client,
        ):
            for n_bytes in (LIMIT, LIMIT + 1):
                content = b" " * n_bytes if announced else in_chunks(n_bytes)
                response = await client.post(path.format(tool="epiplexity"), content=content, headers=JSON)
                error = response.json()["error"]
                if n_bytes == LIMIT:
                    assert (response.status_code, error["code"]) == (400, "invalid_json"), "it was read"
                    continue
                assert (response.status_code, error["code"]) == (413, "request_too_large")
                assert str(LIMIT) in error["message"]
                assert response.headers["connection"] == "close"

    asyncio.run(asyncio.wait_for(scenario(), GUARD_S))


def test_a_body_that_exceeds_its_announced_length_is_limited() -> None:
    messages = [{"type": "http.request", "body": b" " * 400, "more_body": True}] * 3
    scope = scope_of("POST", "/solve", [("content-length", "5")])
    answer = asyncio.run(called(service(body_timeout_s=0.05), scope, messages))
    assert answer.status == 413


@pytest.mark.parametrize("announced", ["-1", "+5", "5, 5", "0x5", "5.0", "", "five", "1" * 5000])
def test_a_malformed_length_is_400(announced: str) -> None:
    answer = asyncio.run(called(service(), scope_of("POST", "/solve", [("content-length", announced)])))
    assert answer.status == 400
    assert answer.error["code"] == "invalid_value"
    assert "Content-Length" in answer.error["message"]


@pytest.mark.parametrize(
    ("n_announced", "status", "code"), [(LIMIT, 408, "request_timeout"), (10**12, 413, "request_too_large")]
)
def test_a_body_that_does_not_arrive_ends_the_connection(n_announced: int, status: int, code: str) -> None:
    """A body that is too large is refused by its announced length, before any of it arrives."""

    async def scenario() -> None:
        async with (
            asyncio.timeout(GUARD_S),
            served(service(body_timeout_s=0.05)) as address,
            posted(address, "/solve", {}, **{"content-length": str(n_announced)}) as client,
        ):
            answer = (await client.reader.read()).decode()
            assert answer.startswith(f"HTTP/1.1 {status} ")
            assert "connection: close" in answer
            assert f'"code":"{code}"' in answer

    asyncio.run(scenario())


def test_all_bodies_together_are_limited_while_they_arrive() -> None:
    """Each of them is within its limit."""

    async def scenario() -> None:
        part, length = b" " * 800, {"content-length": "900"}
        async with asyncio.timeout(GUARD_S), served(service(max_bodies_bytes=2000)) as address, AsyncExitStack() as clients:
            senders = [await clients.enter_async_context(posted(address, "/solve", {}, **length)) for _ in range(3)]
            heads = []
            for client in senders:
                client.writer.write(part)
                heads.append(asyncio.create_task(client.reader.readuntil(b"\r\n\r\n")))
            await asyncio.wait(heads, return_when=asyncio.FIRST_COMPLETED)
            ((refused, head),) = [(client, head) for client, head in zip(senders, heads, strict=True) if head.done()]
            assert head.result().startswith(b"HTTP/1.1 503 ")
            assert b"EPF_MAX_BODIES_BYTES" in await refused.reader.readuntil(b"}")
            others = [(client, head) for client, head in zip(senders, heads, strict=True) if client is not refused]
            for client, head in others:  # the one that was refused takes no room any more, though it has not ended its body
                client.writer.write(b" " * 100)
                assert (await head).startswith(b"HTTP/1.1 400 ")
            for client in senders:
                client.writer.close()
            async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}", timeout=GUARD_S) as asker:
                while (await asker.post("/solve", content=b" " * 1000, headers=JSON)).status_code == 503:
                    pass  # until the server has noticed that the others are gone

    asyncio.run(scenario())


def test_a_client_that_sends_too_much_can_still_read_the_refusal() -> None:
    n_bytes = 16 * 2**20  # more than the socket holds: the client is still writing when it is refused

    async def scenario() -> None:
        async with (
            asyncio.timeout(GUARD_S),
            served(service()) as address,
            posted(address, "/solve", {}, **{"content-length": str(n_bytes)}) as client,
        ):
            client.writer.write(b" " * (n_bytes - 2))
            await client.writer.drain()
            answer = (await client.reader.read()).decode()
            assert answer.startswith("HTTP/1.1 413 ")
            assert answer.endswith("}")

    asyncio.run(scenario())


def test_a_disconnect_before_the_end_of_the_body_reaches_no_route(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "epf")

    async def scenario() -> None:
        async with asyncio.timeout(GUARD_S), served(service()) as address:
            async with posted(address, "/solve", {}, **{"content-length": "900"}):
                pass
            await until(lambda: any(record.getMessage() == "request" for record in caplog.records))

    asyncio.run(scenario())
    (fields,) = (record.fields for record in caplog.records if hasattr(record, "fields"))
    assert (fields["status"], fields["route"]) == (499, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/solve", "%s"),
        ("/solve", '{"problem": "a", "x": %s}'),
        ("/solve/batch", '{"problems": %s}'),
        ("/v1/chat/completions", '{"model": "epf-2", "messages": [{"role": "user", "content": "a"}], "metadata": %s}'),
        ("/v1/chat/completions", '{"model": "epf-2", "messages": [{"role": "user", "content": %s}]}'),
    ],
)
def test_no_nesting_depth_of_a_body_is_a_server_error(path: str, body: str) -> None:
    """Includes depths just below the limit of the parser."""

    async def scenario() -> None:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            for depth in (*range(1, 1001, 9), 40_000, 4_000):
                content = body % ('[{"a":' * (depth // 2) + "[" * (depth % 2) + "1" + "]" * (depth % 2) + "}]" * (depth // 2))
                response = await client.post(path, content=content, headers=JSON)
                assert response.status_code in (200, 400), depth
            assert response.status_code == 400
            assert "nested too deeply" in response.json()["error"]["message"]

    asyncio.run(scenario())
