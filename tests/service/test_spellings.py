"""Requests as old, strange and careless clients send them, on a real socket."""

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from epf.service.app import create_app
from epf.service.http.middleware.paths import canonical
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import failure, serving

GUARD_S = 30
KEY = "a-key-of-the-tests"
LIMIT = 2000
PROBLEM = {"problem": "What is 2 + 2?", "n_particles": 1}
CHAT = {"model": "epf-1", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
BODY = json.dumps(PROBLEM).encode()
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client of the service, which has no keys."""
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(max_body_bytes=LIMIT))) as found:
        yield found


@pytest.fixture(scope="module")
def keyed() -> Iterator[httpx.Client]:
    """A client of a service with keys."""
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(api_keys={"ann": SecretStr(KEY)}))) as found:
        yield found


def sent(client: httpx.Client, data: bytes) -> bytes:
    """All that the server sends back on a connection of its own, until it closes it."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=GUARD_S) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """One request, as bytes."""
    return "\r\n".join((line, "host: localhost", *headers, "", "")).encode() + body


KIND, CLOSE, LENGTH = "content-type: application/json", "connection: close", f"content-length: {len(BODY)}"
POST = "POST /solve HTTP/1.1"
CHUNKS = b"%x\r\n%b\r\n3\r\n   \r\n0\r\n\r\n" % (len(BODY), BODY)
MARKED = b"\xef\xbb\xbf" + BODY
STRANGE = {
    "HTTP/1.0": request("POST /solve HTTP/1.0", KIND, LENGTH, body=BODY),
    "upper case": request(POST, "CONTENT-TYPE: Application/JSON", LENGTH, "CONNECTION: Close", body=BODY),
    "chunked": request(POST, "Content-Type:application/json", "Transfer-Encoding: chunked", CLOSE, body=CHUNKS),
    "byte order mark": request(POST, f"{KIND}; charset=UTF-8", f"content-length: {len(MARKED)}", CLOSE, body=MARKED),
    "whole address": request("POST http://localhost/solve?api-version=2024-06-01 HTTP/1.1", KIND, LENGTH, CLOSE, body=BODY),
}


@pytest.mark.parametrize("name", STRANGE)
def test_old_and_strange_requests_are_read(name: str, client: httpx.Client) -> None:
    head, _, body = sent(client, STRANGE[name]).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert b'"answer":"4' in body


def test_a_client_that_waits_before_its_body_is_asked_to_go_on(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=GUARD_S) as connection:
        connection.sendall(request(POST, KIND, LENGTH, "expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_answered_in_order(client: httpx.Client) -> None:
    post = request(POST, KIND, LENGTH, "x-request-id: second", body=BODY)
    data = request("GET /healthz HTTP/1.1", "x-request-id: first") + post
    data += request("HEAD /v1/models HTTP/1.1", "x-request-id: third") + request("GET /nothing HTTP/1.1", "connection: close")
    received = sent(client, data)
    places = [received.index(word) for word in (b'"status":"ok"', b": second", b'"answer":"4', b": third", b"HTTP/1.1 404")]
    assert places == sorted(places)
    assert received.count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("/", "/"),
        ("//", "/"),
        ("https://localhost:8000/solve", "/solve"),
        ("/solve/", "/solve"),
        ("//v1//chat/completions//", "/v1/chat/completions"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/completions", "/v1/completions"),
        ("/responses/resp_1/cancel", "/v1/responses/resp_1/cancel"),
        ("/models/org/name", "/v1/models/org/name"),
        ("/v1/v1/models", "/v1/models"),
        ("/openai/v1/responses", "/v1/responses"),
        ("/openai/deployments/epf-8/chat/completions", "/v1/chat/completions"),
        ("/v1/models/chat/completions", "/v1/models/chat/completions"),
        ("/solve/models", "/solve/models"),
        ("/modelsx", "/modelsx"),
    ],
)
def test_spellings_of_a_path_reach_the_route_that_is_meant(spelled: str, meant: str) -> None:
    assert canonical(spelled) == meant
    assert canonical(meant) == meant


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "//v1/chat/completions",
        "/v1/v1/chat/completions/",
        "/openai/deployments/epf-1/chat/completions?api-version=1",
    ],
)
def test_a_chat_is_answered_wherever_a_client_looks_for_it(path: str, client: httpx.Client) -> None:
    assert client.post(f"{client.base_url}{path}", json=CHAT).status_code == 200


def test_head_is_answered_where_get_is(client: httpx.Client) -> None:
    for path in (
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/models",
        "/v1/models/epf-2",
        "/entropy",
        "/docs",
        "/docs/assets/favicon.png",
    ):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers["content-type"] == get.headers["content-type"]
        if path != "/metrics":
            assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))
    assert client.head("/solve").status_code == 405
    assert 'epf_http_requests_total{method="HEAD",route="/healthz",status="200"} 1.0' in client.get("/metrics").text


def test_a_probe_without_a_body_needs_no_key(keyed: httpx.Client) -> None:
    assert keyed.head("/healthz").status_code == keyed.head("/readyz/").status_code == 200
    # httpx would take //healthz, without the host before it, for another host
    assert keyed.head("/v1/models").status_code == keyed.head(f"{keyed.base_url}//healthz").status_code == 401


def test_keys_are_read_where_azures_clients_send_them(keyed: httpx.Client) -> None:
    assert keyed.get("/v1/models", headers={"api-key": KEY}).status_code == 200
    for headers in ({"api-key": "wrong"}, {"api-key": ""}, {"api-key": KEY, "authorization": f"Bearer {KEY}"}):
        assert failure(keyed.get("/v1/models", headers=headers))["code"] == "invalid_api_key"
    assert keyed.get("/v1/models", params={"api-key": KEY}).status_code == 401, "addresses end up in logs"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "identity, gzip"])
def test_a_compressed_body_is_read(encoding: str, client: httpx.Client) -> None:
    response = client.post("/solve", content=gzip.compress(BODY, mtime=0), headers={**JSON, "content-encoding": encoding})
    assert response.status_code == 200
    assert response.json()["answer"] in ("41", "42")


@pytest.mark.parametrize(
    ("encoding", "body", "status", "code"),
    [
        ("gzip", BODY, 400, "invalid_value"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-4], 400, "invalid_value"),
        ("gzip", gzip.compress(BODY, mtime=0) + b"more", 400, "invalid_value"),
        ("gzip", b"", 400, "invalid_value"),
        ("gzip", gzip.compress(b" " * (LIMIT + 1), mtime=0), 413, "request_too_large"),
        ("gzip", gzip.compress(b" " * 2**28, mtime=0), 413, "request_too_large"),
        ("gzip", gzip.compress(b" " * LIMIT, mtime=0), 400, "invalid_json"),
        ("br", BODY, 415, "unsupported_encoding"),
        ("zstd", BODY, 415, "unsupported_encoding"),
        ("deflate", zlib.compress(BODY), 415, "unsupported_encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0), 415, "unsupported_encoding"),
        ("identity", BODY, 200, ""),
    ],
)
def test_other_compressed_bodies_are_refused_for_what_they_are(
    encoding: str, body: bytes, status: int, code: str, client: httpx.Client
) -> None:
    response = client.post("/solve", content=body, headers={**JSON, "content-encoding": encoding})
    assert response.status_code == status
    if status != 200:
        assert failure(response)["code"] == code
    assert response.headers.get("accept-encoding") == ("gzip" if status == 415 else None)


@pytest.mark.parametrize("path", ["/solve", "/v1/chat/completions"])
def test_the_seed_minus_one_draws_a_seed(path: str, client: httpx.Client) -> None:
    def seed(value: Any) -> int:
        response = client.post(path, json={**(PROBLEM if path == "/solve" else CHAT), "seed": value})
        found: dict[str, Any] = response.json()
        return int(found["seed"] if path == "/solve" else found["choices"][0]["search"]["seed"])

    assert seed(7) == 7
    first, second = seed(-1), seed(-1)
    assert first != second
    assert min(first, second) >= 0
    refusal = failure(client.post(path, json={**(PROBLEM if path == "/solve" else CHAT), "seed": -2}))
    assert refusal["message"] == "`seed` must be at least -1: change it."


def test_an_empty_list_and_an_empty_text_are_refused_in_our_words(client: httpx.Client) -> None:
    refusal = failure(client.post("/solve/batch", json={"problems": []}))
    assert refusal["message"] == "`problems` must have at least 1 item: add what is missing."
    refusal = failure(client.post("/solve", json={"problem": ""}))
    assert refusal["message"] == "`problem` must not be empty: fill it in, or leave it out where it is optional."


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "text/json", None]
)
def test_only_bodies_that_say_that_they_are_json_are_read(kind: str | None, client: httpx.Client) -> None:
    """Browsers send the others to any site without asking."""
    for path in ("/solve", "/solve/batch", "/score", "/v1/chat/completions", "/entropy/tokens"):
        headers = {} if kind is None else {"content-type": kind}
        refusal = failure(client.post(path, content=BODY, headers=headers))
        assert refusal["code"] == "invalid_json"
        assert "application/json" in refusal["message"], path
    for kind_of_json in ("application/json", "application/JSON; charset=utf-8", "application/problem+json"):
        response = client.post("/entropy/tokens", content=b"{}", headers={"content-type": kind_of_json})
        assert failure(response)["param"] == "logprobs"
