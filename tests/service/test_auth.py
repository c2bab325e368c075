"""Every path requires a key. A server without keys accepts only local requests."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from pydantic import SecretStr
from starlette.routing import BaseRoute, Mount
from starlette.types import Message

import epf.service.web
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.asgi import called, scope_of
from tests.service.serving import served

GUARD_S = 110  # for hundreds of requests, also on a busy machine
KEY, OTHER = "a-key-of-the-tests", "another-key-of-the-tests"
SETTINGS = Settings(api_keys={"tests": SecretStr(KEY), "others": SecretStr(OTHER)})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "UNHEARD-OF")
OPEN = {"/healthz", "/healthz/", "/readyz", "/readyz/"}
PAGE = {"/", "/entropy-tools", *(f"/web/{path.name}" for path in (Path(epf.service.web.__file__).parent / "static").iterdir())}
"""What the service opens for browsers, to the letter."""
UNKNOWN = (
    "/",
    "",
    "/web",
    "/web/",
    "/web/app.js",
    "/web/x.js",
    "/web/..%2f..%2fauth.py",
    "/web/%2e%2e/app.py",
    "/metrics",
    "/nothing",
    "/v1",
    "/healthz/x",
    "/healthz.json",
    "/HEALTHZ",
    "/healthz;x",
    "/x/healthz",
)


def mounted() -> FastAPI:
    """The service with another application mounted below it, which has a document and a health route of its own."""
    app = create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS)
    below = FastAPI()
    below.get("/healthz")(lambda: "open")
    app.mount("/below", below)
    return app


APPS: dict[str, Callable[[], FastAPI]] = {
    "service": mounted,
    "scoring": lambda: create_scoring_app(ScriptedRewardModel(), SETTINGS),
}


def paths_below(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[str]:
    """A path for every registered route."""
    for route in routes:
        if isinstance(route, Mount):
            yield from paths_below(route.routes, prefix + route.path)
        elif hasattr(route, "original_router"):
            yield from paths_below(route.original_router.routes, prefix)
        else:
            yield prefix + str(getattr(route, "path", "")).replace("{id:path}", "a/b").replace("{id}", "a").replace(
                "{name}", "a"
            )


def spelled(path: str) -> set[str]:
    """Spellings of a path that a server, a proxy or a router might treat as equal."""
    encoded = f"/%{ord(path[1]):02x}{path[2:]}" if len(path) > 1 else "/%2e"
    return {path, f"{path}/", f"{path}//", f"/{path}", f"//{path}", encoded, f"{path}%2f", f"{path}%00", f"{path}?key={KEY}"}


async def ask(address: tuple[str, int], method: str, target: str, *lines: str) -> httpx.Response:
    """Send one request for a target exactly as written, without normalisation by a client."""
    reader, writer = await asyncio.open_connection(*address)
    head = "\r\n".join((f"{method} {target} HTTP/1.1", "host: localhost", "connection: close", *lines))
    writer.write(f"{head}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    top, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = top.decode().split("\r\n")
    headers = [tuple(field.split(": ", 1)) for field in fields]
    return httpx.Response(
        int(status.split()[1]), headers=[(k, v) for k, v in headers if k != "transfer-encoding"], content=body
    )


@pytest.mark.parametrize("app", APPS)
def test_every_path_and_method_except_probes_and_the_page_requires_a_key(app: str) -> None:
    built = APPS[app]()
    paths = set(paths_below(built.routes))
    known = {path.replace("{id}", "a") for path in built.openapi()["paths"]}
    assert known - {"/v1/models/a"} <= paths, "the walk found every route of the document"
    assert {"/docs", "/redoc", "/openapi.json"} | ({"/below/docs", "/below/healthz"} if app == "service" else set()) <= paths
    targets = {target for path in (*paths, *UNKNOWN) for target in spelled(path) if target.startswith("/")}

    requests: list[tuple[str, str, tuple[str, ...]]] = [(method, target, ()) for target in targets for method in METHODS]
    requests += [(method, path, ("authorization: Bearer a-key-that-is-wrong",)) for path in paths for method in METHODS]

    async def scenario() -> int:
        n_open = 0
        async with asyncio.timeout(GUARD_S), served(built) as address:
            for method, target, lines in requests:
                response = await ask(address, method, target, *lines)
                path = unquote(target.split("?")[0])
                if path in (OPEN | PAGE if app == "service" else OPEN) and method in ("GET", "HEAD"):
                    assert response.status_code in (200, 404), (method, target)
                    assert path in OPEN or response.status_code == 200, (method, target)
                    n_open += 1
                    continue
                assert response.status_code == 401, (method, target)
                assert response.headers["www-authenticate"] == "Bearer"
                assert method == "HEAD" or response.json()["error"]["code"] == "invalid_api_key"
            for path in sorted(paths - OPEN):
                response = await ask(address, "GET", path, f"authorization: Bearer {KEY}")
                assert response.status_code in (200, 404, 405) or (path, response.status_code) == ("/", 307), path
        return n_open

    print(f"{app}: {asyncio.run(scenario())} of {len(requests)} requests without the key were let in, all of them open")


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ([("authorization", f"Bearer {KEY}")], "tests"),
        ([("authorization", f"Bearer {OTHER}")], "others"),
        ([("authorization", f"bearer   {KEY} ")], "tests"),
        ([], None),
        ([("authorization", "")], None),
        ([("authorization", "Bearer")], None),
        ([("authorization", "Bearer ")], None),
        ([("authorization", KEY)], None),
        ([("authorization", f"Basic {KEY}")], None),
        ([("authorization", f"Bearer {KEY[:-1]}")], None),
        ([("authorization", f"Bearer {KEY} {KEY}")], None),
        ([("authorization", f"Bearer {KEY}, Bearer {KEY}")], None),
        ([("authorization", f"Bearer {KEY}\xff")], None),
        ([("authorization", f"Bearer {'x' * 10_000}")], None),
        ([("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {KEY}")], None),
        ([("x-api-key", KEY)], None),
        ([("cookie", f"authorization=Bearer {KEY}")], None),
    ],
)
def test_a_key_is_a_bearer_token_and_has_a_name(headers: list[tuple[str, str]], caller: str | None) -> None:
    scope = scope_of("GET", "/nothing", headers)
    answer = asyncio.run(called(create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS), scope))
    assert answer.status == (404 if caller else 401)
    assert scope.get("caller") == caller
    if caller is None:
        assert answer.error["code"] == "invalid_api_key"
        assert answer.error["type"] == "invalid_request_error"
        assert KEY not in answer.error["message"]


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        (("127.0.0.1", 1), {"host": "localhost:8000"}, True),
        (("127.8.0.1", 1), {"host": "127.0.0.1"}, True),
        (("::1", 1), {"host": "[::1]:8000"}, True),
        (("::ffff:127.0.0.1", 1), {}, True),
        (("10.0.0.7", 1), {"host": "localhost"}, False),
        (("::ffff:10.0.0.7", 1), {"host": "localhost"}, False),
        (("2001:db8::1", 1), {"host": "localhost"}, False),
        (("testclient", 1), {"host": "localhost"}, False),
        (None, {"host": "localhost"}, False),
        # Another name for this machine: a proxy that keeps it, or a page of that name.
        (("127.0.0.1", 1), {"host": "solver.example.org"}, False),
        (("127.0.0.1", 1), {"host": "localhost.example.org"}, False),
        (("127.0.0.1", 1), {"host": "10.0.0.7:8000"}, False),
        (("127.0.0.1", 1), {"host": ""}, False),
        (("127.0.0.1", 1), {"host": "[::1"}, False),
        (("127.0.0.1", 1), {"host": "evil.example@localhost"}, False),
        (("127.0.0.1", 1), {"host": "localhost/x"}, False),
        (("127.0.0.1", 1), {"host": "localhost."}, False),
        # A proxy on this machine.
        (("127.0.0.1", 1), {"x-forwarded-for": "10.0.0.7"}, False),
        (("127.0.0.1", 1), {"x-forwarded-for": "127.0.0.1"}, False),
        (("127.0.0.1", 1), {"x-forwarded-proto": "https"}, False),
        (("127.0.0.1", 1), {"forwarded": "for=127.0.0.1"}, False),
        (("127.0.0.1", 1), {"x-real-ip": "127.0.0.1"}, False),
        (("127.0.0.1", 1), {"via": "1.1 proxy"}, False),
    ],
)
def test_without_keys_only_local_requests_are_accepted(
    client: tuple[str, int] | None, headers: dict[str, str], local: bool
) -> None:
    def asked(path: str, **settings: Any) -> Any:
        app = create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(**settings))
        return asyncio.run(called(app, scope_of("GET", path, headers.items(), client=client)))

    answer = asked("/metrics")
    assert answer.status == (200 if local else 403)
    if not local:
        assert answer.error["code"] == "forbidden"
        assert "EPF_API_KEYS" in answer.error["message"]
    assert asked("/metrics", allow_anonymous=True).status == 200
    assert asked("/readyz").status != 403, "probes come from elsewhere"


def test_a_forwarded_request_is_not_local_even_if_the_server_rewrites_the_client() -> None:
    async def scenario() -> None:
        async with served(create_app(ScriptedGenerator(), ScriptedRewardModel())) as address:
            assert (await ask(address, "GET", "/openapi.json")).status_code == 200
            assert (await ask(address, "GET", "/openapi.json", "x-forwarded-for: 127.0.0.1")).status_code == 403

    asyncio.run(scenario())


@pytest.mark.parametrize("length", ["5", "999999999"])
def test_the_body_of_a_request_without_a_key_is_not_read(length: str) -> None:
    scope = scope_of("POST", "/solve", [("content-length", length)])
    unfinished: list[Message] = [{"type": "http.request", "body": b"1", "more_body": True}]
    app = create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS)
    assert asyncio.run(called(app, scope, unfinished)).status == 401


def test_websockets_are_closed() -> None:
    """WebSockets are closed even if a route would accept them."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    app = create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS)

    @app.websocket("/socket")
    async def take(socket: WebSocket) -> None:
        await socket.accept()

    scope = {**scope_of("GET", "/socket"), "type": "websocket", "subprotocols": []}
    asyncio.run(app(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
