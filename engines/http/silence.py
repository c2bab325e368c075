"""How long a server has been silent, and how long a server that is well may be. Times are seconds on one clock."""

import math

STALL_S = 5.0
"""Minimum silence that counts as a stall."""
SLOWER = 4.0
"""How many times the longest silence of late that ended well counts as a stall."""
PERIOD_S = 600.0
"""How long a silence that ended well is remembered: one to two such periods."""


class Silence:
    """Time that calls have waited for a server, added up since it last sent anything.

    Calls that were cancelled or gave up count as well: their silence is evidence against the server.

    Attributes:
        heard_s: when it last sent anything; minus infinity before that.
    """

    def __init__(self) -> None:
        self.heard_s = -math.inf
        self._n_waiting = 0
        self._since_s = 0.0
        self._before_s = 0.0

    def begin(self, now_s: float) -> None:
        """A call begins to wait."""
        if not self._n_waiting:
            self._since_s = now_s
        self._n_waiting += 1

    def heard(self, now_s: float) -> None:
        """The server has sent something to one of its calls."""
        self._before_s = 0.0
        self._since_s = self.heard_s = now_s

    def end(self, now_s: float) -> None:
        """A call waits no more."""
        self._n_waiting -= 1
        if not self._n_waiting:
            self._before_s += now_s - self._since_s

    def seconds(self, now_s: float) -> float:
        """Length of the silence so far."""
        return self._before_s + (now_s - self._since_s if self._n_waiting else 0.0)


class Pace:
    """The longest silence of servers that were well, which says how much is too much.

    One call may take a second on a fast server, or a minute where a model judges at length.
    """

    def __init__(self) -> None:
        self._period_ends_s = 0.0
        self._longest_s: float | None = None
        self._before_s: float | None = None

    def silent_for(self, silence_s: float, now_s: float) -> None:
        """Record a silence that ended well."""
        self._turn(now_s)
        self._longest_s = max(silence_s, self._longest_s or 0.0)

    def longest_s(self, now_s: float) -> float | None:
        """The longest silence of late; None before the first one."""
        self._turn(now_s)
        known = [seconds for seconds in (self._longest_s, self._before_s) if seconds is not None]
        return max(known, default=None)

    def stall_s(self, now_s: float) -> float | None:
        """Silence from which a server has stalled, although it responds to health checks; None while nothing is known."""
        longest_s = self.longest_s(now_s)
        return None if longest_s is None else max(STALL_S, SLOWER * longest_s)

    def _turn(self, now_s: float) -> None:
        """Begin a new period if one is over. The one before it is kept until the next, however long no call was made."""
        if now_s >= self._period_ends_s:
            if self._longest_s is not None:
                self._before_s, self._longest_s = self._longest_s, None
            self._period_ends_s = now_s + PERIOD_S
