"""One server of a model, asked directly: each request once, within a time limit, and errors in the words of searches."""

import asyncio
import socket
import ssl
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from epf.core.errors import GeneratorError, InvalidRequest, RewardModelError, SearchServiceError
from epf.diagnosis.finding import Outcome, failed
from epf.engines.http.address import base_address
from epf.engines.http.causes import failure_of
from epf.engines.http.connections import Connections
from epf.engines.http.errors import RetryableError, UpstreamRejected
from epf.engines.http.private import without_private
from epf.engines.http.refusal import Refusal
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import MAX_WORDS_SHOWN, Wording, address

Owner = Literal["the generator", "the reward model"]

CONNECT_S = 5.0
"""Maximum time to connect, in seconds."""

RESPONSE_S = 5.0
"""Maximum wait for a response that costs no tokens, in seconds."""


class Endpoint:
    """Requests to one address.

    Args:
        url: base URL, with or without ``/v1``.
        owner: the model that it serves.
        api_key: sent as a bearer token; empty for none.

    Raises:
        InvalidRequest: the address is not valid.
    """

    def __init__(self, url: str, owner: Owner, api_key: str) -> None:
        self.url = base_address(url, "generator" if owner == "the generator" else "reward_model")
        self.shown = address(self.url)
        self.wording = Wording(owner, api_key)
        self.has_key = bool(api_key)
        self._key = api_key
        self._owner = owner
        self._error: type[SearchServiceError] = GeneratorError if owner == "the generator" else RewardModelError
        self._connections: Connections | None = None

    @property
    def host(self) -> str:
        """Host of the address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Port of the address."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def is_encrypted(self) -> bool:
        """Whether the address begins with ``https://``."""
        return urlsplit(self.url).scheme == "https"

    async def connect(self, context: ssl.SSLContext | None = None) -> asyncio.StreamWriter:
        """Connect to the first of the host's addresses that accepts; with a TLS handshake if ``context`` is given.

        Raises:
            OSError: none accepts, or none in time. A refusal is raised rather than another error, since it says more.
        """
        errors: list[OSError] = []
        name = self.host if context else None
        async with asyncio.timeout(CONNECT_S):
            try:
                found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            except UnicodeError as error:  # a part of the name is empty or too long
                raise socket.gaierror(str(error)) from None
            for host in dict.fromkeys(str(entry[4][0]) for entry in found):
                try:
                    _, writer = await asyncio.open_connection(host, self.port, ssl=context, server_hostname=name)
                except OSError as error:
                    errors.append(error)
                else:
                    return writer
        raise next((error for error in errors if isinstance(error, ConnectionRefusedError)), errors[0])

    def upstream(self) -> Upstream:
        """The server as searches ask it; the caller closes it."""
        return Upstream([self.url], self._error, self._owner, api_key=self._key, timeout_s=RESPONSE_S)

    async def get(self, path: str, *, limit_s: float | None = None) -> dict[str, Any]:
        """Return the response to a GET, a JSON object.

        Raises:
            UpstreamRejected: the server refuses the request.
            SearchServiceError: there is no response in time, or none that is JSON.
        """
        return await self._json(self._own(), "GET", path, None, limit_s or RESPONSE_S)

    async def post(self, path: str, body: dict[str, Any], *, limit_s: float | None = None) -> dict[str, Any]:
        """Like :meth:`get`, for a POST."""
        return await self._json(self._own(), "POST", path, body, limit_s or RESPONSE_S)

    async def accepts_no_key(self, path: str) -> bool:
        """Whether the server responds to a GET that carries no key."""
        anonymous = Connections(self._error, self._owner, None)
        try:
            await self._json(anonymous, "GET", path, None, RESPONSE_S)
        except (UpstreamRejected, SearchServiceError):
            return False
        finally:
            await anonymous.aclose()
        return True

    def public(self, words: str) -> str:
        """A server's words without keys, shortened."""
        said = without_private(words, [self._key], ())
        return said if len(said) <= MAX_WORDS_SHOWN else said[: MAX_WORDS_SHOWN - 1] + "…"

    def said(self, refusal: Refusal) -> str:
        """The status of a refusal and the server's words."""
        return f"status {refusal.status}" + (f": {self.public(refusal.words)}" if refusal.words else "")

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.aclose()

    def _own(self) -> Connections:
        if self._connections is None:
            if not (self._key.isascii() and self._key.isprintable()):
                message = f"The API key has characters that a header cannot hold. Check {self.wording.setting('api_key')}."
                raise InvalidRequest(message)
            self._connections = Connections(self._error, self._owner, self._key or None)
        return self._connections

    async def _json(
        self, connections: Connections, method: str, path: str, body: dict[str, Any] | None, limit_s: float
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(limit_s):
                return await connections.json(method, self.url + path, body)
        except TimeoutError:
            message = f"it accepts connections, but sent no response to {path} within {limit_s:g} seconds"
            raise self._error(message) from None
        except RetryableError as error:
            raise self._error(self.public(str(error))) from None


def connection_failure(error: OSError) -> Outcome:
    """Return what a connection's error means and what to do, in the words that searches have for it."""
    wrapped = httpx.ConnectTimeout(str(error)) if isinstance(error, TimeoutError) else httpx.ConnectError(str(error))
    wrapped.__cause__ = error
    words = str(failure_of(wrapped)).removeprefix("connection failed (").removesuffix(")")
    cause, _, fix = words.rpartition(": ")
    return failed(cause, f"{fix[:1].upper()}{fix[1:]}{'' if fix.endswith('?') else '.'}")


def trusted() -> ssl.SSLContext:
    """The certificates that searches trust."""
    return httpx.create_ssl_context()
