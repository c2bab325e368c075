"""The files of the page: plain ES modules, styles and one document, as they lie in ``static/``."""

from functools import cache
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"
ENTROPY: Final = "entropy.html"
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".jsonl": "application/jsonl; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def names() -> frozenset[str]:
    """Names of all files. Only these are ever read, whatever a request names."""
    return frozenset(path.name for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES)


@cache
def content(name: str) -> bytes:
    """Content of one of :func:`names`."""
    return (STATIC / name).read_bytes()
