"""Memory for the bodies of all requests together. Each is limited by itself, but a thousand connections send a thousand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from epf.core.errors import Overloaded

RETRY_AFTER_S = 1.0


class BodyRoom:
    """At most ``max_bytes`` of bodies, from the first byte that arrives until their requests have ended."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0

    @contextmanager
    def taken(self) -> Iterator[Callable[[int], None]]:
        """Yield what takes room for a number of bytes, which the end of the block gives back. It raises ``Overloaded``."""
        n_taken = 0

        def take(n_bytes: int) -> None:
            nonlocal n_taken
            if self._n_bytes + n_bytes > self._max_bytes:
                limit = f"The bodies of all current requests may have at most {self._max_bytes} bytes together"
                message = f"{limit}: try again later, or raise EPF_MAX_BODIES_BYTES on the server."
                raise Overloaded(message, retry_after_s=RETRY_AFTER_S)
            self._n_bytes += n_bytes
            n_taken += n_bytes

        try:
            yield take
        finally:
            self._n_bytes -= n_taken
