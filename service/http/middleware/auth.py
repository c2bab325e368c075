"""Who may send requests: callers are known by their API keys; probes need none."""

from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.core.errors import Forbidden, InvalidRequest, Unauthorized
from epf.service.access.keys import Keys
from epf.service.settings import Settings

OPEN_PATHS = frozenset({"/healthz", "/healthz/", "/readyz", "/readyz/"})
"""Paths for probes, which have no key. Every other path requires one, whether or not it has a route, unless the application
opens it."""
OPEN_METHODS = frozenset({"GET", "HEAD"})
ANONYMOUS = "anonymous"

_PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip"})


class Authentication:
    """ASGI middleware that requires an API key and sets ``scope["caller"]`` to the name of its owner.

    Without any keys it accepts callers on this machine, or everybody with ``allow_anonymous``, as ``anonymous``. Everybody may
    read the paths in ``open_paths`` in addition to those for probes.
    """

    def __init__(self, app: ASGIApp, keys: Keys, *, allow_anonymous: bool, open_paths: Collection[str] = ()) -> None:
        self.app = app
        self._open_paths = OPEN_PATHS.union(open_paths)
        self._keys = keys
        self._allow_anonymous = allow_anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises ``Unauthorized`` or ``Forbidden``; closes WebSockets, which no route supports."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            scope["caller"] = await self._caller(scope)
        await self.app(scope, receive, send)

    async def _caller(self, scope: Scope) -> str:
        if scope["path"] in self._open_paths and scope["method"] in OPEN_METHODS:
            return ANONYMOUS
        await self._keys.refresh()
        headers = Headers(scope=scope)
        if self._keys:
            return self._owner(headers)
        if self._allow_anonymous or _is_local(scope, headers):
            return ANONYMOUS
        raise Forbidden(
            "This server has no API keys, so it accepts requests only from its own machine, sent directly to localhost. "
            "Set EPF_API_KEYS or EPF_API_KEYS_FILE on the server, or EPF_ALLOW_ANONYMOUS=true to accept everybody."
        )

    def _owner(self, headers: Headers) -> str:
        key = _sent_key(headers)
        if not key:
            raise Unauthorized("This server requires an API key: send exactly one header `Authorization: Bearer KEY`.")
        owner = self._keys.owner(key.encode("latin-1"))
        if owner is None:
            raise Unauthorized("This API key is unknown: check it, or ask the server's operator for one.")
        return owner


def _sent_key(headers: Headers) -> str:
    """The only key of a request, as a bearer token or in the header of Azure's clients; empty without one, or with several."""
    bearers, keys = headers.getlist("authorization"), headers.getlist("api-key")
    if len(bearers) + len(keys) != 1:
        return ""
    if keys:
        return keys[0].strip()
    scheme, _, key = bearers[0].partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def check_bind(settings: Settings) -> None:
    """Raise ``InvalidRequest`` if the server would accept unknown callers from other machines."""
    if settings.api_keys or settings.api_keys_file or settings.allow_anonymous or _is_loopback(settings.host):
        return
    raise InvalidRequest(
        f"host {settings.host!r} is reachable from other machines, and the server has no API keys: set EPF_API_KEYS__NAME to a "
        "key, listen on 127.0.0.1, or set EPF_ALLOW_ANONYMOUS=true to accept everybody",
        param="host",
    )


def _is_local(scope: Scope, headers: Headers) -> bool:
    """Whether the client is on this machine and sends its request directly.

    Behind a proxy on this machine every client seems local. The headers that a proxy adds give it away, or else the requested
    host, which also keeps out web pages whose own name resolves to this machine (DNS rebinding).
    """
    if any(name in _PROXY_HEADERS or name.startswith("x-forwarded-") for name in headers):
        return False
    client = scope.get("client")
    return client is not None and _is_loopback(client[0]) and _is_loopback(host_of(headers))


def host_of(headers: Headers) -> str:
    """The requested host without its port, localhost if the client names none. Empty for what is no host, such as a@b."""
    host = headers.get("host", "localhost")
    try:
        return (urlsplit(f"//{host}").hostname or "") if not set("@/?#\\").intersection(host) else ""
    except ValueError:
        return ""


def is_address(host: str) -> bool:
    """Whether a host is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if not is_address(host):
        return host == "localhost"
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
