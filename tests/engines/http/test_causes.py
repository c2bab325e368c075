"""Servers that cannot be reached, over real sockets: the error names the address, the cause and what to do."""

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from epf.core.errors import GeneratorError, InvalidRequest
from epf.engines.http.causes import failure_of
from epf.engines.http.replicas import Upstream
from tests.engines.http.server import Answer, upstream


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.attempts.INITIAL_BACKOFF_S", 0.0)


async def failure(url: str) -> GeneratorError:
    replicas = Upstream([url], GeneratorError, "the generator", timeout_s=5)
    try:
        with pytest.raises(GeneratorError) as caught:
            await replicas.post("/v1/completions", {})
        return caught.value
    finally:
        await replicas.aclose()


def run(url: str) -> GeneratorError:
    return asyncio.run(asyncio.wait_for(failure(url), 30))


def test_nothing_listens() -> None:
    error = run("http://127.0.0.1:1/base")
    assert "http://127.0.0.1:1/base failed after 4 attempts" in str(error)
    assert "connection refused" in str(error)
    assert error.retryable


def test_an_unknown_host() -> None:
    """Made by hand: how long a look-up of an unknown name takes depends on the network."""
    error = httpx.ConnectError("[Errno -2] Name or service not known")
    error.__cause__ = ExceptionGroup("all addresses", [socket.gaierror(-2, "Name or service not known")])
    assert "host name is unknown" in str(failure_of(error))


@contextmanager
def served(respond: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server in a thread, which closes each connection after ``respond``; yields its host and port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                respond(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield "{}:{}".format(*listener.getsockname())
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_https_to_a_server_without_tls() -> None:
    def respond(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    with served(respond) as address:
        error = run(f"https://{address}")
    assert "does not speak TLS" in str(error)
    assert "after 1 attempt:" in str(error), "another attempt would not help"
    assert not error.retryable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that nobody trusts, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return certificate, key


def behind_tls(certificate: tuple[Path, Path], scheme: str) -> GeneratorError:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def respond(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"HTTP/1.1 403 X\r\ncontent-length: 0\r\n\r\n")

    with served(respond) as address:
        return run(f"{scheme}://{address}")


def test_a_certificate_that_is_not_trusted(certificate: tuple[Path, Path]) -> None:
    error = behind_tls(certificate, "https")
    assert "its certificate is not trusted (self-signed certificate): set SSL_CERT_FILE" in str(error)
    assert not error.retryable


def test_http_to_a_server_with_tls(certificate: tuple[Path, Path]) -> None:
    assert "use https://" in str(behind_tls(certificate, "http"))


def test_silence() -> None:
    async def main() -> GeneratorError:
        async with upstream(lambda _: Answer(stall=True)) as server:
            replicas = Upstream([server.url], GeneratorError, "the generator", timeout_s=0.05)
            with pytest.raises(GeneratorError) as caught:
                await replicas.post("/", {})
            await replicas.aclose()
            return caught.value

    assert "no response within 0.05 seconds" in str(asyncio.run(asyncio.wait_for(main(), 30)))


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines", "a\x00b"])
def test_a_key_that_no_header_can_hold_is_refused_at_once_without_repeating_it(key: str) -> None:
    with pytest.raises(ValueError, match=r"generator\.api_key \(EPF_GENERATOR__API_KEY\)") as caught:
        Upstream(["http://a"], GeneratorError, "the generator", api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["http://", "https://:80", "http://[::1", "http://a b:80"])
def test_an_invalid_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidRequest, match="The generator's server: its address"):
        Upstream([url], GeneratorError, "the generator")


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_an_address_may_end_in_v1(suffix: str) -> None:
    async def main() -> None:
        async with upstream(lambda _: Answer({})) as server:
            replicas = Upstream([server.url + suffix], GeneratorError, "the generator", api_key=" key\n")
            await replicas.get("/v1/models")
            await replicas.aclose()
            (request,) = server.requests
            assert (request.path, request.headers["authorization"]) == ("/v1/models", "Bearer key")

    asyncio.run(asyncio.wait_for(main(), 30))
