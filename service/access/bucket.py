"""A token bucket: a limit per minute that is refilled all the time, and may go into debt.

The bucket holds the limit of one minute and begins full. What is used is taken from it, and it is refilled at the rate of the
limit, so that over any time no more is used than the limit allows, plus one bucket. What is known only afterwards, such as the
tokens of a search, may take more than there is; the debt is paid back before anything else is granted.
"""

import math
from typing import Final

MINUTE_S: Final = 60.0


class Bucket:
    """One limit of one caller.

    Args:
        limit: units per minute.
        now_s: the current time in monotonic seconds, as for all methods.
    """

    def __init__(self, limit: int, now_s: float) -> None:
        self.limit = limit
        self._level = float(limit)
        self._at_s = now_s

    def set_limit(self, limit: int, now_s: float) -> None:
        """Change the limit. What was used stays used, but a lower limit makes no debt of it: that could take hours."""
        if limit != self.limit:
            self._refill(now_s)
            self._level = max(self._level + limit - self.limit, min(self._level, 0.0))
            self.limit = limit

    def take(self, n: int, now_s: float) -> None:
        """Use ``n`` units, whether or not they are there."""
        self._refill(now_s)
        self._level -= n

    def remaining(self, now_s: float) -> int:
        """Whole units that may be used now."""
        self._refill(now_s)
        return max(0, math.floor(self._level + 1e-9))

    def wait_s(self, now_s: float) -> float:
        """Seconds until a unit may be used; 0 if one may now."""
        self._refill(now_s)
        return max(0.0, (1 - self._level) * MINUTE_S / self.limit) if self.remaining(now_s) < 1 else 0.0

    def reset_s(self, now_s: float) -> float:
        """Seconds until the bucket is full."""
        self._refill(now_s)
        return max(0.0, (self.limit - self._level) * MINUTE_S / self.limit)

    def _refill(self, now_s: float) -> None:
        self._level = min(float(self.limit), self._level + (now_s - self._at_s) * self.limit / MINUTE_S)
        self._at_s = now_s


def duration(seconds: float) -> str:
    """A duration as the OpenAI API writes it: ``12ms``, ``1.5s``, ``6m0s``, ``1h0m0s``; rounded up to milliseconds."""
    ms = math.ceil(seconds * 1000 - 1e-6)
    if ms < 1000:
        return f"{ms}ms" if ms else "0s"
    minutes, ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    fraction = f"{ms / 1000:.3f}".rstrip("0").rstrip(".")
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{fraction}s"
