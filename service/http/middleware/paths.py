"""Spellings of a path that clients build from a base address: they reach the route that is meant."""

import re
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

_MISSPELLED_PREFIX = re.compile(
    r"(?:/openai/v1|/openai/deployments/[^/]+|/v1/v1)?(?=/(?:chat|completions|models|responses)(?:/|$))"
)
"""What stands where clients of the OpenAI API should have written ``/v1``."""


def canonical(path: str) -> str:
    """The path of the route that ``path`` means.

    Slashes are neither doubled nor at the end, and a whole address, which clients send to proxies, loses its host. The routes
    of the OpenAI API are also found without ``/v1``, with two of it, and where clients of Azure look for them.
    """
    path = re.sub("/{2,}", "/", re.sub("^https?://[^/]*", "", path))
    if len(path) > 1:
        path = path.removesuffix("/")
    misspelled = _MISSPELLED_PREFIX.match(path)
    return f"/v1{path[misspelled.end() :]}" if misspelled else path


class CanonicalPaths:
    """ASGI middleware: replaces the path of a request by its canonical form."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. The scope is changed in place, because the outer middleware reads the route from it."""
        if scope["type"] == "http" and (path := canonical(scope["path"])) != scope["path"]:
            scope["path"] = path
            scope["raw_path"] = quote(path).encode()
        await self.app(scope, receive, send)
