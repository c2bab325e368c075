"""``GET /``: the page that shows a search, ``GET /entropy-tools``, and their files. They hold no secret and are open to all."""

from hashlib import sha256
from typing import Final

from fastapi import APIRouter, Request, Response

from epf.core.errors import NotFound
from epf.service.web import files

router = APIRouter(include_in_schema=False)

PREFIX: Final = "/web/"
ENTROPY_TOOLS: Final = "/entropy-tools"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: the page loads nothing from other servers and runs no script but its own files."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}


def paths() -> frozenset[str]:
    """Paths of the page and its files, which a browser loads before its reader can give a key."""
    return frozenset({"/", ENTROPY_TOOLS, *(PREFIX + name for name in files.names())})


@router.get("/")
async def page(request: Request) -> Response:
    """The page."""
    return _response(files.INDEX, request)


@router.get(ENTROPY_TOOLS)
async def entropy_tools(request: Request) -> Response:
    """The page of the entropy tools."""
    return _response(files.ENTROPY, request)


@router.get(PREFIX + "{name}")
async def file(name: str, request: Request) -> Response:
    """One of its files."""
    if name not in files.names():
        raise NotFound("The page has no such file: reload it.", param="name")
    return _response(name, request)


def _response(name: str, request: Request) -> Response:
    """The file, or 304 if the browser has it already."""
    content = files.content(name)
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=files.MEDIA_TYPES[name[name.rindex(".") :]], headers=headers)
