"""Who may come in: callers with a key or, where there are no keys, this machine's own."""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.core.errors import Forbidden, InvalidRequest, Unauthorized
from epf.service.http.middleware.keys import Keys
from epf.service.settings import Settings

OPEN_PATHS = frozenset({"/healthz", "/healthz/", "/readyz", "/readyz/"})
"""What probes ask, who have no key. Every other path is closed, whether or not there is a route."""
OPEN_METHODS = frozenset({"GET", "HEAD"})
ANONYMOUS = "anonymous"

_PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip"})


class Authentication:
    """ASGI middleware that nobody passes without a key; ``scope["caller"]`` is the key's name.

    Without any keys it lets in who is on this machine, or everybody with ``allow_anonymous``, as ``anonymous``.
    """

    def __init__(self, app: ASGIApp, keys: Keys, *, allow_anonymous: bool) -> None:
        self.app = app
        self._keys = keys
        self._allow_anonymous = allow_anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in. Raises ``Unauthorized`` or ``Forbidden``; no route speaks WebSocket, so those are closed."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            scope["caller"] = self._caller(scope)
        await self.app(scope, receive, send)

    def _caller(self, scope: Scope) -> str:
        if scope["path"] in OPEN_PATHS and scope["method"] in OPEN_METHODS:
            return ANONYMOUS
        headers = Headers(scope=scope)
        if self._keys:
            return self._owner(headers)
        if self._allow_anonymous or _is_local(scope, headers):
            return ANONYMOUS
        raise Forbidden(
            "This server has no API keys, so it answers its own machine alone, asked directly as localhost: "
            "set EPF_API_KEYS there, or EPF_ALLOW_ANONYMOUS=true to answer everybody."
        )

    def _owner(self, headers: Headers) -> str:
        given = headers.getlist("authorization")
        scheme, _, key = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("This server asks for an API key: send the header `Authorization: Bearer KEY` once.")
        owner = self._keys.owner(key.strip().encode("latin-1"))
        if owner is None:
            raise Unauthorized("This API key is not known here: check it, or ask the server's operator for one.")
        return owner


def check_bind(settings: Settings) -> None:
    """Raise ``InvalidRequest`` if the server would listen to other machines without knowing who asks."""
    if settings.api_keys or settings.allow_anonymous or _is_loopback(settings.host):
        return
    raise InvalidRequest(
        f"On host {settings.host!r} other machines reach this server, and it has no API keys: set EPF_API_KEYS__NAME to a key, "
        "listen on 127.0.0.1, or set EPF_ALLOW_ANONYMOUS=true to answer everybody.",
        param="host",
    )


def _is_local(scope: Scope, headers: Headers) -> bool:
    """Whether the client is on this machine and asks us directly.

    A proxy on this machine makes everybody look as if they were here. What it adds to a request gives it away, or else the
    host that was asked for; that also keeps out web pages whose own name was pointed at this machine (DNS rebinding).
    """
    if any(name in _PROXY_HEADERS or name.startswith("x-forwarded-") for name in headers):
        return False
    client = scope.get("client")
    return client is not None and _is_loopback(client[0]) and _is_loopback(_host(headers))


def _host(headers: Headers) -> str:
    """The host that the client asked for, without its port; a client that names none means this one."""
    try:
        return urlsplit(f"//{headers.get('host', 'localhost')}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
