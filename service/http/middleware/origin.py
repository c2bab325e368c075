"""Requests that a web page of another site sends through the browser of somebody who may use this server.

The browser asks before most of them (CORS), but not before those that a form could send, and a page whose own name resolves to
this machine (DNS rebinding) has the same origin. So a request that changes something must come from this server's own origin or
from an allowed one, and the server can be limited to the host names that it is known by.
"""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.core.errors import Forbidden
from epf.service.access.rate_limits import KINDS
from epf.service.http.errors import response_to
from epf.service.http.middleware.auth import OPEN_METHODS, OPEN_PATHS, host_of, is_address

ANY_ORIGIN = "*"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing. Without CORS a page of another origin cannot read the response."""
CORS_METHODS: Final = ("GET", "HEAD", "POST", "DELETE")
EXPOSED_HEADERS: Final = (
    *("x-request-id", "x-epf-ignored", "x-should-retry", "retry-after", "retry-after-ms"),
    *(f"x-ratelimit-{name}-{kind}" for kind in KINDS for name in ("limit", "remaining", "reset")),
)
"""Response headers that a page of an allowed origin may read."""


class OriginCheck:
    """ASGI middleware that refuses requests of foreign origins and for unknown hosts. Probes may come from anywhere.

    Follows the algorithm of Go's ``net/http.CrossOriginProtection``: browsers mark the site that a request comes from
    (``Sec-Fetch-Site``); where one does not, its ``Origin`` must be the requested host. Other programs send neither.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str], hosts: Collection[str]) -> None:
        self.app = app
        self._origins = origins
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise ``Forbidden``."""
        if scope["type"] == "http" and not (scope["path"] in OPEN_PATHS and scope["method"] in OPEN_METHODS):
            self._check(scope["method"], Headers(scope=scope))
        await self.app(scope, receive, send)

    def _check(self, method: str, headers: Headers) -> None:
        if self._hosts and not self._is_known(host_of(headers)):
            raise Forbidden(
                "This server does not respond under the host name of this request: use another address of the server, or add "
                "the name to EPF_ALLOWED_HOSTS on the server."
            )
        if method not in SAFE_METHODS and _is_foreign(headers) and not self._is_allowed(headers.get("origin")):
            raise Forbidden(
                "This request comes from a web page of another origin: add that origin to EPF_ALLOWED_ORIGINS on the server if "
                "its pages may use the server."
            )

    def _is_known(self, host: str) -> bool:
        """Whether the host is allowed. Addresses are: a page can give this machine a name of its own, but no other address."""
        return host in self._hosts or is_address(host)

    def _is_allowed(self, origin: str | None) -> bool:
        return ANY_ORIGIN in self._origins or origin in self._origins


class Cors(CORSMiddleware):
    """Responds to preflights, with a refusal in the common form, and lets pages of allowed origins read responses."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=CORS_METHODS,
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=EXPOSED_HEADERS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """The response to a preflight."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        message = (
            "Pages of this origin may not send this request: the origin must be in EPF_ALLOWED_ORIGINS on the server, and the "
            f"method one of {', '.join(CORS_METHODS)}."
        )
        refusal = response_to(Forbidden(message))
        refusal.headers["vary"] = response.headers["vary"]
        return refusal


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser sends the request for a page of another origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")
