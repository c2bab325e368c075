"""On a full server only probes are served."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from epf.core.errors import SearchServiceError
from epf.service.http.middleware.auth import OPEN_METHODS, OPEN_PATHS

CROWDED: Final = "epf.crowded"
"""Key of the scope of a request that arrived on a full server. Its value is the error that refuses the request."""

PROBES: Final = OPEN_PATHS | {"/metrics", "/metrics/"}


class ProbesFirst:
    """ASGI middleware that refuses requests on a full server, except probes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise the error that refuses it."""
        refusal: SearchServiceError | None = scope.get(CROWDED)
        if refusal is not None and not (scope["path"] in PROBES and scope["method"] in OPEN_METHODS):
            raise refusal
        await self.app(scope, receive, send)
