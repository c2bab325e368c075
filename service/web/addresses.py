"""Addresses that hold a page for a browser and data for other programs."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from epf.service.web.router import PREFIX

LIST: Final = f"{PREFIX}history.html"
ONE: Final = f"{PREFIX}kept.html"
_ADDRESS: Final = re.compile("/searches(?P<one>/[0-9a-f]{32})?(?P<slash>/)?")


class PageAddresses:
    """ASGI middleware: a request for HTML to ``/searches`` or ``/searches/{id}`` gets a page, as one of the open files.

    A browser cannot send a key with the address that its reader opens, so the page needs none. It is the same for everybody,
    and asks for the key before it reads any data. The path is replaced before authentication, which never sees one that is
    both.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and (address := _ADDRESS.fullmatch(scope["path"])):
            accepted = Headers(scope=scope).get("accept", "").lower()
            if "text/html" in accepted and "application/json" not in accepted:
                if address["slash"]:  # the addresses within the page are relative to the one without
                    await RedirectResponse(f"../{scope['path'].split('/')[-2]}", 308)(scope, receive, send)
                    return
                scope["path"] = ONE if address["one"] else LIST
                scope["raw_path"] = scope["path"].encode()
        await self.app(scope, receive, send)
