"""Who may search now, who waits, and who is refused: counted in particles."""

from typing import Protocol


class Ticket(Protocol):
    """One request's room."""

    async def granted(self) -> None:
        """Wait for the turn; returns at once when it has come."""

    def leave(self) -> None:
        """Give the room back, also while waiting; a second call does nothing."""


class Admission(Protocol):
    """Decides at once, without waiting."""

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """A ticket that is granted or queued. Raises ``RateLimited`` (the caller's own limit) or ``Overloaded``."""


class _Granted:
    async def granted(self) -> None:
        return

    def leave(self) -> None:
        return


class Unbounded:
    """Lets everyone in."""

    def enter(self, caller: str, n_particles: int) -> Ticket:
        """Granted."""
        return _Granted()
