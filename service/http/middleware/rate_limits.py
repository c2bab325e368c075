"""Limits per minute: which requests count, and the headers that say what is left."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epf.service.access.rate_limits import RateLimits
from epf.service.http.middleware.auth import OPEN_PATHS

CANCELLING = "/cancel"
"""End of the paths of requests that only end others."""


class LimitRate:
    """ASGI middleware, inside of authentication: counts requests that ask for work, and refuses those beyond a limit.

    These are all POST requests but those that cancel something. Lists, probes and metrics never count.
    """

    def __init__(self, app: ASGIApp, rate_limits: RateLimits) -> None:
        self.app = app
        self._rate_limits = rate_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise ``RateLimited``."""
        if scope["type"] == "http" and scope["method"] == "POST" and not scope["path"].endswith(CANCELLING):
            self._rate_limits.admit(scope["caller"])
        await self.app(scope, receive, send)


class LimitHeaders:
    """ASGI middleware, outside of all that may refuse: adds the headers to each response to a caller with a limit."""

    def __init__(self, app: ASGIApp, rate_limits: RateLimits) -> None:
        self.app = app
        self._rate_limits = rate_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request."""

        async def with_headers(message: Message) -> None:
            caller = scope.get("caller")
            if message["type"] == "http.response.start" and caller is not None and scope["path"] not in OPEN_PATHS:
                MutableHeaders(scope=message).update(self._rate_limits.headers(caller))
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
