"""What ``epf doctor`` finds out about a server without a token, over real sockets."""

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from epf.diagnosis.finding import Finding
from epf.diagnosis.servers import examine_servers, generator_servers
from epf.generators.registry import GeneratorOptions
from tests.diagnosis.certificates import make_certificate
from tests.engines.http.server import Answer, Request, upstream
from tests.engines.http.test_causes import served

KEY = "sk-0123456789abcdef"
MODELS = {"data": [{"id": "qwen"}]}


async def examine(url: str, *, name: str | None = None, key: str = "") -> dict[str, Finding]:
    """What each check of a generator's server finds, by its name."""
    options = GeneratorOptions(kind="openai", url=url, name=name, api_key=SecretStr(key) if key else None)
    servers = generator_servers(options)
    try:
        return {finding.check: finding async for finding in examine_servers("generator", servers)}
    finally:
        await servers[0].endpoint.aclose()


def findings(
    answer: Callable[[Request], Answer], *, path: str = "", name: str | None = None, key: str = ""
) -> dict[str, Finding]:
    """What is found about a scripted server."""

    async def main() -> dict[str, Finding]:
        async with asyncio.timeout(30), upstream(answer) as server:
            return await examine(server.url + path, name=name, key=key)

    return asyncio.run(main())


def serves(request: Request) -> Answer:
    """A server of the model qwen."""
    return Answer(
        MODELS if request.path == "/v1/models" else {"error": {"message": "prompt: invalid"}}, 400 * bool(request.body) or 200
    )


def only(found: dict[str, Finding], mark: str) -> Finding:
    """The finding with this mark."""
    (one,) = (finding for finding in found.values() if finding.mark == mark)
    return one


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_a_server_in_order(path: str) -> None:
    found = findings(serves, path=path)
    assert {check: finding.mark for check, finding in found.items()} == {
        "address": "ok",
        "certificate": "skipped",
        "response": "ok",
        "key": "ok",
        "models": "ok",
        "server": "ok",
        "route": "ok",
    }
    assert found["key"].found == "none needed"
    assert found["route"].found == "/v1/completions"


def test_no_check_of_a_server_sends_a_prompt() -> None:
    """It would cost tokens; an empty object is refused before anything is sampled."""
    bodies: list[Any] = []

    def answer(request: Request) -> Answer:
        bodies.append(request.body)
        return serves(request)

    findings(answer)
    sent = [body for body in bodies if body]
    assert [body["prompt"] for body in sent] == [{}] * len(sent) != []


def test_nothing_listens_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = asyncio.run(examine(f"http://127.0.0.1:{port}"))
    failure = only(found, "failed")
    assert (failure.check, failure.found) == ("address", "connection refused")
    assert failure.advice == "Nothing listens at this address, so check it and start the server."
    assert {finding.mark for check, finding in found.items() if check != "address"} == {"skipped"}


@pytest.mark.parametrize("host", ["gpu..example", "g" * 64 + ".example"])
def test_a_host_that_cannot_exist(host: str) -> None:
    """How long a look-up of a possible name takes depends on the network."""
    found = asyncio.run(examine(f"http://{host}:8001"))
    failure = only(found, "failed")
    assert (failure.found, failure.advice) == ("its host name is unknown", "Check the address.")


def of_port(respond: Callable[[socket.socket], None], scheme: str = "http") -> dict[str, Finding]:
    """What is found about a port whose connections are handled by ``respond``."""
    with served(respond) as address:
        return asyncio.run(asyncio.wait_for(examine(f"{scheme}://{address}"), 30))


def _read_all(connection: socket.socket) -> None:
    while connection.recv(2**16):
        pass


def test_a_port_that_accepts_and_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.diagnosis.endpoint.RESPONSE_S", 0.1)
    failure = only(of_port(_read_all), "failed")
    assert failure.check == "response"
    assert failure.found == "it accepts connections, but sent no response to /v1/models within 0.1 seconds"


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\xff\x15\x03\x01"])
def test_a_port_of_another_protocol(garbage: bytes) -> None:
    def respond(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(garbage)

    failure = only(of_port(respond), "failed")
    assert failure.check == "response"
    assert "is another service there?" in failure.advice


def test_a_web_page() -> None:
    page = b"<html><head><title>x</title></head><body>Welcome to nginx!</body></html>"
    failure = only(findings(lambda _: Answer(page, headers={"content-type": "text/html"})), "failed")
    assert (failure.check, failure.found) == ("response", "the response is not a JSON object")
    assert "is another service there?" in failure.advice


def test_a_web_server_without_the_api() -> None:
    def answer(_: Request) -> Answer:
        return Answer(b"<html><body>404 Not Found</body></html>", 404)

    failure = only(findings(answer), "failed")
    assert (failure.check, failure.found) == ("models", "not listed (status 404: 404 Not Found)")
    assert failure.advice.startswith("Check the address, or name the model in generator.name")
    failure = only(findings(answer, name="qwen"), "failed")
    assert (failure.check, failure.found) == ("route", "the server has no /v1/completions and /v1/chat/completions")


def test_a_server_that_still_loads_its_model() -> None:
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    failure = only(findings(lambda _: Answer(loading, 503)), "failed")
    assert (failure.check, failure.found) == ("response", "status 503: Loading model")
    assert "may still be loading its model" in failure.advice


@pytest.mark.parametrize("lists_models", [True, False])
@pytest.mark.parametrize(("key", "advice"), [(KEY, "Check the key"), ("", "Set a key")])
def test_a_refused_key_is_seen_wherever_it_is_refused_and_never_shown(key: str, advice: str, lists_models: bool) -> None:
    """Many servers list their models to everybody."""

    def answer(request: Request) -> Answer:
        if lists_models and request.path == "/v1/models":
            return Answer(MODELS)
        return Answer({"error": {"message": f"Incorrect API key provided: {KEY}."}}, 401)

    found = findings(answer, key=key)
    failure = only(found, "failed")
    assert failure.check == "key"
    assert failure.found.startswith("status 401: Incorrect API key provided")
    assert failure.advice == f"{advice} in generator.api_key (EPF_GENERATOR__API_KEY)."
    assert KEY not in str(found)


def test_an_accepted_key() -> None:
    def answer(request: Request) -> Answer:
        return serves(request) if request.headers.get("authorization") == f"Bearer {KEY}" else Answer({"error": "no key"}, 401)

    assert findings(answer, key=KEY)["key"].found == "accepted"
    assert findings(serves, key=KEY)["key"].found == "accepted, but not needed to list the models"


def test_a_key_that_no_header_can_hold() -> None:
    failure = only(findings(serves, key="schlüssel"), "failed")
    assert "The API key has characters that a header cannot hold." in failure.found
    assert "schlüssel" not in str(failure)


@pytest.mark.parametrize(
    ("listed", "name", "mark", "found", "advice"),
    [
        (["a"], None, "ok", "a", ""),
        (["a", "b"], "b", "ok", "b", ""),
        (["a", "b"], None, "failed", "a, b", "Name one of them in generator.name (EPF_GENERATOR__NAME)."),
        (["a", "b"], "c", "warning", "c is not listed: a, b", "Check generator.name (EPF_GENERATOR__NAME), unless"),
        ([], None, "failed", "none listed", "name the model in generator.name (EPF_GENERATOR__NAME)."),
        (list("abcdefgh"), None, "failed", "a, b, c, d, e and 3 more", "Name one of them"),
    ],
)
def test_the_models(listed: list[str], name: str | None, mark: str, found: str, advice: str) -> None:
    def answer(request: Request) -> Answer:
        return serves(request) if request.body else Answer({"data": [{"id": each} for each in listed]})

    finding = findings(answer, name=name)["models"]
    assert (finding.mark, finding.found) == (mark, found)
    assert advice in finding.advice


@pytest.mark.parametrize("listing", [[], {"data": None}, {"data": [None, {"id": 3}]}, {"data": {"a": 1}}])
def test_a_listing_of_another_shape_names_no_model(listing: Any) -> None:
    found = findings(lambda request: serves(request) if request.body else Answer(listing))
    assert found["models" if isinstance(listing, dict) else "response"].mark == "failed"


def test_a_model_that_the_server_does_not_know() -> None:
    unknown = {"error": {"message": "The model `llama` does not exist.", "code": "model_not_found"}}
    found = findings(lambda request: Answer(unknown, 404) if request.body else Answer(MODELS), name="llama")
    assert found["route"].found == "/v1/completions: status 404: The model `llama` does not exist."
    assert found["route"].advice == "Check generator.name (EPF_GENERATOR__NAME)."


@pytest.mark.parametrize("words", ["Not Found", {"code": 404, "message": "File Not Found", "type": "not_found_error"}])
def test_a_server_for_chats_alone(words: Any) -> None:
    def answer(request: Request) -> Answer:
        return Answer({"error": words}, 404) if request.path == "/v1/completions" else serves(request)

    assert findings(answer)["route"].found == "/v1/chat/completions"


def test_plain_http_to_a_proxy_with_tls() -> None:
    page = b"<html><head><title>400</title></head><body>The plain HTTP request was sent to HTTPS port</body></html>"
    failure = only(findings(lambda _: Answer(page, 400)), "failed")
    assert (failure.check, failure.advice) == ("response", "Write https:// in the address.")


def _behind_tls(
    monkeypatch: pytest.MonkeyPatch, directory: Path, *, trusts: bool = True, scheme: str = "https", **certificate: str
) -> dict[str, Finding]:
    """What is found about a server with a certificate of its own."""
    made = make_certificate(directory, **certificate)
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))

    context = made.context()

    def respond(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            content = json.dumps(MODELS if b" /v1/models " in secure.recv(2**16) else {}).encode()
            secure.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(content) + content)

    return of_port(respond, scheme)


def test_a_trusted_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = _behind_tls(monkeypatch, tmp_path)
    assert (found["certificate"].mark, found["certificate"].found) == ("ok", "trusted, valid until 2099-01-01")


@pytest.mark.parametrize(
    ("certificate", "trusts", "why", "advice"),
    [
        ({}, False, "self-signed certificate", "Set SSL_CERT_FILE to the authority's certificate."),
        ({"ends": "20200102000000Z"}, True, "expired", "Renew it on the server, or check the clock of this machine."),
        ({"begins": "20980101000000Z"}, True, "not yet valid", "Check the clocks of both machines."),
        ({"names": "DNS:a.example"}, True, "mismatch", "Use the host name that the certificate is for, not an IP address."),
    ],
)
def test_a_certificate_that_is_not_trusted(
    certificate: dict[str, str], trusts: bool, why: str, advice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failure = only(_behind_tls(monkeypatch, tmp_path, trusts=trusts, **certificate), "failed")
    assert failure.check == "certificate"
    assert failure.found.startswith("its certificate is not trusted (")
    assert why in failure.found
    assert failure.advice == advice


def test_http_and_https_mixed_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failure = only(_behind_tls(monkeypatch, tmp_path, scheme="http"), "failed")
    assert (failure.check, "use https://" in failure.found) == ("response", True)

    def respond(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    failure = only(of_port(respond, "https"), "failed")
    assert failure.check == "certificate"
    assert (failure.found, failure.advice) == ("it does not speak TLS at this port", "Does the address begin with http://?")
