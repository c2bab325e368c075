"""Memory for the bodies of all requests together. Each is limited by itself, but a thousand connections send a thousand."""

from types import TracebackType

from epf.core.errors import Overloaded

RETRY_AFTER_S = 1.0


class BodyRoom:
    """At most ``max_bytes`` of bodies, from the first byte that arrives until their requests have ended or are refused."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0

    def share(self) -> "Share":
        """The part of one request, which is empty at first."""
        return Share(self)


class Share:
    """The room that the body of one request takes, until the end of a ``with`` block or until it is given back."""

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self._n_taken = 0

    def take(self, n_bytes: int) -> None:
        """Take room for further bytes. Raises ``Overloaded`` if there is not enough."""
        if self._room.n_bytes + n_bytes > self._room.max_bytes:
            limit = f"The bodies of all current requests may have at most {self._room.max_bytes} bytes together"
            message = f"{limit}: try again later, or raise EPF_MAX_BODIES_BYTES on the server."
            raise Overloaded(message, retry_after_s=RETRY_AFTER_S)
        self._room.n_bytes += n_bytes
        self._n_taken += n_bytes

    def give_back(self) -> None:
        """Give all of it back; a second call does nothing."""
        self._room.n_bytes -= self._n_taken
        self._n_taken = 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.give_back()
