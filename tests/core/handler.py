"""A handler whose requests are commands."""

import os
import time
from collections.abc import Callable

MEMORY_BYTES = 2**30
EXAMPLE = b"example"


def start() -> Callable[[bytes], bytes]:
    print("printed at the start")
    return _handle


def _handle(request: bytes) -> bytes:
    print("printed meanwhile")
    match request:
        case b"pid":
            return str(os.getpid()).encode()
        case b"parent":
            return str(os.getppid()).encode()
        case b"niceness":
            return str(os.nice(0)).encode()
        case b"die":
            os._exit(3)
        case b"hang":
            while True:
                time.sleep(3600)
        case b"wait":
            time.sleep(0.2)
            return b"waited"
        case b"compute":
            return str(9**9**9).encode()  # inside one byte code
        case b"fill":
            try:
                return bytes(2**31)
            except MemoryError:
                return b"MemoryError"
        case b"grow":
            return str(len(bytearray(b"x" * 2**27))).encode()
    return request[::-1]
