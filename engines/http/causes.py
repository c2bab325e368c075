"""Why a connection failed, in words that say what to do."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from epf.engines.http.errors import RetryableError

CERTIFICATE_FIXES = {
    9: "check the clocks of both machines",
    10: "renew it on the server, or check the clock of this machine",
    62: "use the host name that the certificate is for",
    64: "use the host name that the certificate is for, not an IP address",
}
"""What to do about a certificate, by OpenSSL's code: not yet valid, expired, another host name, another IP address."""


def failure_of(error: httpx.TransportError) -> RetryableError:
    """Return what a failed connection means for the attempt."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            fix = CERTIFICATE_FIXES.get(cause.verify_code, "set SSL_CERT_FILE to the authority's certificate")
            return _failed(f"its certificate is not trusted ({cause.verify_message.rstrip('.')}): {fix}", lasting=True)
        if isinstance(cause, ssl.SSLError):
            return _failed("it does not speak TLS at this port: does the address begin with http://?", lasting=True)
        if isinstance(cause, socket.gaierror):
            return _failed("its host name is unknown: check the address")
        if isinstance(cause, ConnectionRefusedError):
            return _failed("connection refused: nothing listens at this address, so check it and start the server")
    if isinstance(error, httpx.ConnectTimeout):
        return _failed("no connection within the time limit: check the address and the network")
    if isinstance(error, httpx.ConnectError):
        return _failed("it cannot be reached: check the address and the network")
    if isinstance(error, httpx.LocalProtocolError):
        return _failed("the request cannot be sent: check the characters of the API key", lasting=True)
    return _failed("it closed the connection before the end of its response; if it speaks TLS, use https://")


def _failed(words: str, *, lasting: bool = False) -> RetryableError:
    return RetryableError(f"connection failed ({words})", unreachable=True, lasting=lasting)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what lies behind it, also the errors of several addresses that were tried."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
