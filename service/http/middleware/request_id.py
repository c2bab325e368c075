"""An id for every request: in its response, in its log lines, and to cancel it by."""

import re
import uuid
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
SAFE = re.compile("[A-Za-z0-9._:-]{1,128}")

current: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is being answered, None outside of any."""


class RequestIds:
    """ASGI middleware, outermost: takes the caller's own id if it is safe to repeat, otherwise draws one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set ``scope["request_id"]`` and ``current``, and the header of the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if SAFE.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"] = request_id
        # Never reset: a server gives each request its own task, and its last words on one that failed are said after us.
        current.set(request_id)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self.app(scope, receive, named)
