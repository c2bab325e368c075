"""Servers that cannot be reached, over real sockets: the error names the address, the cause and what to do."""

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from epf.core.errors import GeneratorError
from epf.engines.http.causes import failure_of
from epf.engines.http.replicas import Upstream
from tests.engines.http.server import Answer, upstream


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epf.engines.http.replicas.INITIAL_BACKOFF_S", 0.0)


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
    error = run("http://ann:secret@127.0.0.1:1/base?x=secret")
    assert "http://127.0.0.1:1/base failed after 4 attempts" in str(error)
    assert "connection refused" in str(error)
    assert "secret" not in str(error)
    assert error.retryable


def test_an_unknown_host() -> None:
    """Made by hand: how long a look-up of an unknown name takes depends on the network."""
    error = httpx.ConnectError("[Errno -2] Name or service not known")
    error.__cause__ = ExceptionGroup("all addresses", [socket.gaierror(-2, "Name or service not known")])
    assert "host name is unknown" in str(failure_of(error))


def test_https_to_a_server_without_tls() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def main() -> GeneratorError:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await failure(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    error = asyncio.run(asyncio.wait_for(main(), 30))
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


async def behind_tls(certificate: tuple[Path, Path], scheme: str) -> GeneratorError:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 403 X\r\ncontent-length: 8\r\n\r\nreached.")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        return await failure(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}")


def test_a_certificate_that_is_not_trusted(certificate: tuple[Path, Path]) -> None:
    error = asyncio.run(asyncio.wait_for(behind_tls(certificate, "https"), 30))
    assert "its certificate is not trusted (self-signed certificate): set SSL_CERT_FILE" in str(error)
    assert not error.retryable


def test_http_to_a_server_with_tls(certificate: tuple[Path, Path]) -> None:
    assert "use https://" in str(asyncio.run(asyncio.wait_for(behind_tls(certificate, "http"), 30)))


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
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL of the generator"):
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
