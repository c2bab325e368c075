"""One log line for each request, with nothing in it that the caller wrote."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class AccessLog:
    """ASGI middleware: logs method, route, status, seconds and caller when the last byte of a response is sent.

    ``route`` is the template that the request matched, as ``/solve/{id}``, null for none; ``caller`` is null for a request that
    was not let in; ``status`` is null if nothing was answered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then log."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun_s = time.perf_counter()
        status: int | None = None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            fields = {
                "method": scope["method"] if scope["method"] in METHODS else "other",
                "route": getattr(scope.get("route"), "path", None),
                "status": status,
                "seconds": round(time.perf_counter() - begun_s, 4),
                "caller": scope.get("caller"),
            }
            logger.info("request", extra={"fields": fields})
