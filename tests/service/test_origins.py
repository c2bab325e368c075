"""Web pages of other sites: what they may send and read, by origin and by host name."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from epf.core.errors import InvalidRequest
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.asgi import Answer, called, scope_of

KEY = "a-key-of-the-tests"
PAGE = "https://chat.example.org"
OWN = {"host": "localhost:8000"}


def ask(method: str, path: str, headers: dict[str, str], **settings: Any) -> Answer:
    app = create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(**settings))
    return asyncio.run(called(app, scope_of(method, path, {**OWN, **headers}.items())))


def preflight(origin: str, method: str = "POST", **settings: Any) -> Answer:
    asked = {"origin": origin, "access-control-request-method": method}
    asked["access-control-request-headers"] = "authorization,content-type,x-stainless-os"
    asked["access-control-request-private-network"] = "true"
    return ask("OPTIONS", "/v1/chat/completions", asked, **settings)


@pytest.mark.parametrize("keys", [{}, {"tests": SecretStr(KEY)}])
def test_preflights_of_allowed_origins_need_no_key(keys: dict[str, SecretStr]) -> None:
    answer = preflight(PAGE, allowed_origins=(PAGE,), api_keys=keys)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type,x-stainless-os"
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert {"POST", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers, "keys are sent by the page, not by the browser"


@pytest.mark.parametrize(
    ("origin", "method", "allowed"),
    [
        ("https://evil.example", "POST", PAGE),
        (PAGE, "PUT", PAGE),
        ("null", "POST", PAGE),
        (f"{PAGE}:444", "POST", PAGE),
        ("https://evil.example", "PUT", "*"),
    ],
)
def test_other_preflights_are_refused_in_the_common_form(origin: str, method: str, allowed: str) -> None:
    answer = preflight(origin, method, allowed_origins=(allowed,))
    assert (answer.status, answer.error["code"]) == (403, "forbidden")
    assert "EPF_ALLOWED_ORIGINS" in answer.error["message"]
    assert "access-control-allow-origin" not in answer.headers


def test_without_allowed_origins_there_is_no_cors() -> None:
    answer = preflight(PAGE)
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
def test_pages_of_allowed_origins_can_read_refusals_and_our_headers(headers: dict[str, str]) -> None:
    settings = {"allowed_origins": (PAGE,), "api_keys": {"tests": SecretStr(KEY)}}
    answer = ask("GET", "/v1/models", {"origin": PAGE, "sec-fetch-site": "cross-site", **headers}, **settings)
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "x-epf-ignored", "x-should-retry", "retry-after"} <= set(exposed)
    foreign = ask("GET", "/v1/models", {"origin": "https://evil.example"}, **settings)
    assert "access-control-allow-origin" not in foreign.headers


FOREIGN = [
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:3000"},
    {"sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:3000"},
    {"origin": "null"},
    {"origin": ""},
]
OURS: list[dict[str, str]] = [
    {},
    {"sec-fetch-site": "same-origin", "origin": "http://localhost:8000"},
    {"sec-fetch-site": "none"},
    {"origin": "http://localhost:8000"},
]


@pytest.mark.parametrize("path", ["/solve", "/solve/batch", "/score", "/v1/chat/completions", "/entropy/nothing"])
def test_requests_of_foreign_pages_reach_no_route(path: str) -> None:
    for headers in FOREIGN:
        answer = ask("POST", path, headers)
        assert (answer.status, answer.error["code"]) == (403, "forbidden"), headers
        assert "EPF_ALLOWED_ORIGINS" in answer.error["message"]
    for headers in OURS:
        assert ask("POST", path, headers).status in (400, 404, 503), headers


def test_foreign_pages_can_cancel_nothing_and_a_key_changes_nothing() -> None:
    headers = {"origin": "https://evil.example", "authorization": f"Bearer {KEY}"}
    for method, path in (("DELETE", "/solve/a"), ("POST", "/solve")):
        answer = ask(method, path, headers, api_keys={"tests": SecretStr(KEY)})
        assert (answer.status, answer.error["code"]) == (403, "forbidden")


def test_a_scoring_server_refuses_them_too() -> None:
    app = create_scoring_app(ScriptedRewardModel(), Settings())
    scope = scope_of("POST", "/score", {**OWN, "origin": "https://evil.example"}.items())
    assert asyncio.run(called(app, scope)).status == 403


@pytest.mark.parametrize("allowed", [PAGE, "*"])
def test_pages_of_allowed_origins_reach_the_routes(allowed: str) -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": PAGE}
    answer = ask("POST", "/solve", headers, allowed_origins=(allowed,))
    assert answer.status in (400, 503), "there is no body, and there are no models yet"
    assert answer.headers["access-control-allow-origin"] == allowed


def test_a_link_from_another_site_opens_the_documentation() -> None:
    assert ask("GET", "/docs", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("[::1]:8000", 200),
        ("172.18.0.3:8000", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_only_allowed_hosts_are_served(host: str, status: int) -> None:
    settings: dict[str, Any] = {"allowed_hosts": ("localhost",), "allow_anonymous": True}
    answer = ask("GET", "/metrics", {"host": host}, **settings)
    assert answer.status == status
    if status == 403:
        assert "EPF_ALLOWED_HOSTS" in answer.error["message"]
    assert ask("GET", "/healthz", {"host": host}, **settings).status == 200, "probes name the address of a container"
    assert ask("GET", "/metrics", {"host": host}, allow_anonymous=True).status == 200


@pytest.mark.parametrize(
    "value", ["localhost:3000", f"{PAGE}/chat", "https://user@chat.example.org", f"{PAGE}, chat.example.org"]
)
def test_what_is_no_origin_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPF_ALLOWED_ORIGINS", value)
    with pytest.raises(InvalidRequest, match=r"^allowed_origins: item [12] is not an origin"):
        Settings()


@pytest.mark.parametrize("value", ["http://localhost", "localhost:8000", "*.example.org", "localhost, [::1]"])
def test_what_is_no_host_name_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPF_ALLOWED_HOSTS", value)
    with pytest.raises(InvalidRequest, match=r"^allowed_hosts: item [12] is not a host name"):
        Settings()


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPF_ALLOWED_ORIGINS", f"{PAGE}/ , HTTP://LOCALHOST:3000,chrome-extension://abc")
    monkeypatch.setenv("EPF_ALLOWED_HOSTS", "Solver.example.org,epf")
    settings = Settings()
    assert settings.allowed_origins == (PAGE, "http://localhost:3000", "chrome-extension://abc")
    assert settings.allowed_hosts == ("solver.example.org", "epf")
