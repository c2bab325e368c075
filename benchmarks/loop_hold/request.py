"""A request as bytes, and how it is sent: at once, byte by byte, in tiny chunks or compressed."""

import gzip
import socket
from dataclasses import dataclass
from typing import Final, Literal

Sent = Literal["whole", "bytes", "chunks", "gzip", "headers"]

TIMEOUT_S: Final = 120.0
PIECE: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Attack:
    """A body, what is bad about it, and how it is sent."""

    name: str
    body: bytes
    sent: Sent = "whole"


def send(port: int, path: str, attack: Attack) -> int:
    """Send one request on a connection of its own and read the whole response; returns its status, 0 without any."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = b""
        try:
            for piece in _pieces(path, attack):
                connection.sendall(piece)
        except OSError:
            pass  # the server refused it before its end; its response is read below
        try:
            while data := connection.recv(1 << 16):
                begin = (begin + data)[:64]
        except OSError:
            pass
    return int(begin.split()[1]) if begin.startswith(b"HTTP/") else 0


def _pieces(path: str, attack: Attack) -> list[bytes]:
    body = attack.body
    lines = [f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json", "connection: close"]
    match attack.sent:
        case "whole":
            return [_head(lines, f"content-length: {len(body)}") + body]
        case "bytes":
            return [_head(lines, f"content-length: {len(body)}"), *(body[i : i + 1] for i in range(len(body)))]
        case "chunks":
            data = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
            return [_head(lines, "transfer-encoding: chunked"), data]
        case "gzip":
            data = gzip.compress(body)
            return [_head(lines, "content-encoding: gzip", f"content-length: {len(data)}") + data]
        case "headers":
            return [_head(lines, *(["a:"] * (PIECE - 60)), "content-length: 0")]


def _head(lines: list[str], *more: str) -> bytes:
    return "\r\n".join([*lines, *more, "", ""]).encode()
