"""Compressed request bodies, which are decompressed before anything parses them."""

import asyncio
import zlib
from typing import Final

from starlette.datastructures import Headers

from epf.core.errors import BodyTooLarge, InvalidRequest, UnsupportedEncoding

ACCEPTED: Final = frozenset({"gzip", "x-gzip"})
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


def is_compressed(headers: Headers) -> bool:
    """Whether the body is compressed. Raises ``UnsupportedEncoding`` if it is compressed in a way that is not supported."""
    encodings = [part.strip().lower() for value in headers.getlist("content-encoding") for part in value.split(",")]
    encodings = [encoding for encoding in encodings if encoding not in ("", "identity")]
    if len(encodings) > 1 or not ACCEPTED.issuperset(encodings):
        raise UnsupportedEncoding(
            "`Content-Encoding` may be gzip or absent: compress the request body once, with gzip, or not at all."
        )
    return bool(encodings)


async def decompressed(body: bytes, max_bytes: int) -> bytes:
    """The content of a gzip body, which is decompressed in a thread, since a large one takes long.

    Raises:
        BodyTooLarge: the content has more than ``max_bytes`` bytes. No more than that is ever decompressed.
        InvalidRequest: the body is not one complete gzip member.
    """
    return await asyncio.to_thread(_decompress, body, max_bytes)


def _decompress(body: bytes, max_bytes: int) -> bytes:
    member = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = member.decompress(body, max_bytes + 1)
    except zlib.error:
        raise _not_gzip() from None
    if len(content) > max_bytes:
        raise BodyTooLarge(f"The request body may have at most {max_bytes} bytes when decompressed: send a shorter one.")
    if not member.eof or member.unused_data:
        raise _not_gzip()
    return content


def _not_gzip() -> InvalidRequest:
    return InvalidRequest(
        "The body is not one complete gzip stream, which `Content-Encoding: gzip` announces: compress it again, or not at all."
    )
